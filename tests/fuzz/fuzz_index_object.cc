// Any bytes as the body of an index object: refused or read, and what is read is written back the
// same.

#include <algorithm>

#include "pagevault/repo/index_object.h"

using namespace pagevault;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const ByteView input = std::as_bytes(std::span(data, size));
  if (const auto index = repo::decode_index_object(input)) {
    PV_CHECK(std::ranges::equal(repo::encode_index_object(*index), input));
  }
  return 0;
}
