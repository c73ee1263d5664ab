// Any bytes as the body of a config or of a session: what is read is written so that it reads the
// same again.

#include "pagevault/repo/config.h"
#include "pagevault/repo/session_object.h"

using namespace pagevault;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const ByteView input = std::as_bytes(std::span(data, size));
  if (const auto config = repo::decode_config(input)) {
    const Bytes written = repo::encode_config(*config);
    PV_CHECK(repo::encode_config(repo::decode_config(written).value()) == written);
  }
  if (const auto session = repo::decode_session(input)) {
    const Bytes written = repo::encode_session(*session);
    PV_CHECK(repo::encode_session(repo::decode_session(written).value()) == written);
  }
  return 0;
}
