// Announcement and heartbeat of a writer. Source: docs/format.md, 3 "Session".

#pragma once

#include <string>

#include "pagevault/base/digest.h"
#include "pagevault/base/result.h"

namespace pagevault::repo {

struct SessionRecord {
  SessionId session;
  std::uint64_t heartbeat = 0;
  std::int64_t time_ns = 0;
  std::string host;
  std::uint32_t process_id = 0;
};

Bytes encode_session(const SessionRecord& record);
Result<SessionRecord> decode_session(ByteView body);

}  // namespace pagevault::repo
