// Announcement and heartbeat of a writer. Source: docs/format.md, 3 "Session".

#pragma once

#include <cstdint>
#include <string>

#include "pagevault/base/digest.h"
#include "pagevault/base/result.h"

namespace pagevault::repo {

struct SessionRecord {
  SessionId session;  ///< The same in every heartbeat of a session.
  std::uint64_t heartbeat = 0;
  std::int64_t time_ns = 0;  ///< The client's clock: for people, never for safety (I8).
  std::string host;
  std::uint32_t process_id = 0;
};

/// Body of the object.
Bytes encode_session(const SessionRecord& record);
/// Errors: Corrupt, Unsupported (unknown critical field).
Result<SessionRecord> decode_session(ByteView body);

}  // namespace pagevault::repo
