// Any bytes as a message of a base backup, and as a timeline history.

#include "copy_message.h"
#include "timeline_history.h"

using namespace pagevault;
using namespace pagevault::pgsupport;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const ByteView input = std::as_bytes(std::span(data, size));
  if (const auto message = parse_copy_message(input)) {
    PV_CHECK(message->name.find('/') == std::string::npos && message->name.size() < 256);
    PV_CHECK(message->data.size() < size);
  }
  if (const auto history = parse_timeline_history(as_text(input), {1000})) {
    for (std::size_t i = 1; i < history->size(); ++i) {
      PV_CHECK((*history)[i - 1].timeline < (*history)[i].timeline);
      PV_CHECK((*history)[i - 1].end == (*history)[i].begin);
    }
  }
  return 0;
}
