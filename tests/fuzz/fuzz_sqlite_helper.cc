// Any bytes as a message of the sqlite helper or to it: refused or read, and what is read is
// written back the same.

#include "helper_message.h"

using namespace pagevault;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const ByteView input = std::as_bytes(std::span(data, size));
  if (const auto request = sqlitesupport::decode_request(input)) {
    PV_CHECK(equal_bytes(sqlitesupport::encode_request(*request), input));
  }
  if (const auto reply = sqlitesupport::decode_reply(input)) {
    PV_CHECK(equal_bytes(sqlitesupport::encode_reply(*reply), input));
  }
  return 0;
}
