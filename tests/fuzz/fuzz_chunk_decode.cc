// Any bytes as an encoded chunk: first byte the encoding, two bytes the plain length, one byte the
// length of a base taken from the input's front.

#include "pagevault/repo/chunk_codec.h"

using namespace pagevault;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size < 4) return 0;
  static repo::ChunkDecoder decoder;
  const ByteView input = std::as_bytes(std::span(data, size)).subspan(4);
  const auto encoding = static_cast<repo::Encoding>(1 + data[0] % 4);
  Bytes plain(1 + data[1] + 256U * data[2]);
  const std::size_t base_bytes = std::min<std::size_t>(16U * data[3], input.size());
  const ByteView base = repo::has_base(encoding) ? input.first(base_bytes) : ByteView();
  const ByteView encoded = input.subspan(base.size());
  decoder.decode(encoding, encoded, base, plain).ignore("must only not crash");
  return 0;
}
