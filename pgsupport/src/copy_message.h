// One CopyData message of a base backup. Source: PostgreSQL, src/backend/backup/basebackup_copy.c.

#pragma once

#include <cstdint>
#include <string>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"

namespace pagevault::pgsupport {

struct CopyMessage {
  enum class Kind {
    Archive,   ///< One begins.
    Manifest,  ///< It begins.
    Data,
    Progress,
  };
  Kind kind = Kind::Data;
  std::string name = {};        ///< Of an archive: a file's name, without slashes.
  std::string tablespace = {};  ///< Its path; empty for the base.
  ByteView data = {};           ///< Of the message.
  std::uint64_t bytes_done = 0;
};

/// Errors: Corrupt. The data are valid as long as `message`.
Result<CopyMessage> parse_copy_message(ByteView message);

}  // namespace pagevault::pgsupport
