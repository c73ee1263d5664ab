// Any bytes as a directory stream: fed whole and in slices, the verdict and the entries are the
// same.

#include "pagevault/repo/directory_entry.h"

using namespace pagevault;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

namespace {

// The entries written again; nothing when the stream is refused.
std::optional<Bytes> rewritten(ByteView stream, std::size_t slice) {
  repo::DirectoryStreamParser parser;
  Encoder out;
  for (std::size_t at = 0; at < stream.size(); at += slice) {
    parser.feed(stream.subspan(at, std::min(slice, stream.size() - at)));
    while (true) {
      const auto entry = parser.next();
      if (!entry) return std::nullopt;
      if (!entry->has_value()) break;
      repo::encode_entry(out, **entry);
    }
  }
  if (!parser.finish()) return std::nullopt;
  return out.take();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView input = std::as_bytes(std::span(data, size));
  const std::size_t slice = 1 + std::to_integer<std::size_t>(input.back()) % 16;
  PV_CHECK(rewritten(input, input.size()) == rewritten(input, slice));
  return 0;
}
