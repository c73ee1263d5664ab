// What a look at a SQLite database costs and tells: whether anything was committed since an earlier
// look, without a transaction. docs/architecture.md, "Watch".

#pragma once

#include <optional>
#include <string>

#include "pagevault/base/env.h"

namespace pagevault::engine {

struct FileStamp {
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
  bool operator==(const FileStamp&) const = default;
};

/// Two equal ones: nothing was committed between the looks, unless less than `step_ns` after the
/// first of them.
struct DatabaseStamp {
  std::optional<FileStamp> file;  ///< Nothing: there is none.
  std::optional<FileStamp> log;   ///< Nothing: there is none, or it is empty.
  /// Header of the log's index. A commit that is still being synced is in the log before readers
  /// may see it: what makes it visible changes this alone. Empty: no log, or not to be read.
  Bytes log_index;
  std::int64_t step_ns = 0;  ///< How coarse the times are.

  bool operator==(const DatabaseStamp&) const = default;
};

/// `path` is absolute. A missing database is a stamp without a file, also when its folder is
/// missing. Errors: Io.
Result<DatabaseStamp> look_at_database(Env& env, const std::string& path);

}  // namespace pagevault::engine
