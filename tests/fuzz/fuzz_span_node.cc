// Any bytes as a span node, node list or map root: refused or read, and what is read is written
// back the same.

#include <algorithm>

#include "pagevault/repo/file_map.h"

using namespace pagevault;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const ByteView input = std::as_bytes(std::span(data, size));
  if (const auto node = repo::decode_span_node(input)) {
    PV_CHECK(std::ranges::equal(repo::encode_span_node(*node), input));
  }
  if (const auto list = repo::decode_node_list(input)) {
    PV_CHECK(std::ranges::equal(repo::encode_node_list(*list), input));
  }
  Decoder in(input, "map root");
  if (const auto root = repo::decode_map_root(in)) {
    Encoder out;
    repo::encode_map_root(out, *root);
    PV_CHECK(std::ranges::equal(out.view(), input.first(in.position())));
    repo::check_map_root(*root, size * repo::kSpanBytes).ignore("must only not crash");
  }
  return 0;
}
