// What lies beside a database that a restore is about to replace: SQLite's log, the log's index and
// a journal. They belong to the old content. Beside the new one they would be applied to it the
// next time it is opened: a log or journal does not say which database it is of.
//
// A restore therefore (1) refuses while somebody has the old database open, and (2) takes the
// leftovers away before the new content stands under the name. Order, where there are any:
//
//   a new file                              in place (`delta`)
//   1 the new file is complete, it and its
//     temporary name are synced
//   2 leftovers removed                     1 leftovers removed
//   3 directory synced                      2 directory synced
//   4 renamed to its name                   3 first page written
//   5 directory synced
//
// Whatever ends the run, and whatever a power loss keeps of it, new bytes never stand beside an old
// log: the removals are durable before the first of them has the name. Between 2 and 4 the old
// database stands there without its log; its last transactions, or with a hot journal its
// soundness, are gone. By then the new content is durable under the temporary name, which an error
// from there on leaves behind and names, and the next run makes good. Removing after the rename
// would risk the pairing instead, which nobody notices. In place there is no such copy: an
// interrupted update is a mixture in any case, and the next run completes it. Step 5 keeps the old
// database without its log from coming back after the restore has said that it is done.

#pragma once

#include <memory>
#include <string>

#include "pagevault/base/env.h"
#include "pagevault/repo/directory_entry.h"

namespace pagevault::engine {

/// Of a database as a transaction saw it: it needs no log. Not one stored as plain bytes.
bool is_database_image(const repo::Entry& entry);

/// What the times of a file with this entry's size and time prove: that it is the image. Not where
/// the image had pages from a log: then the file alone, with the same time, may well be older.
bool times_cover_image(const repo::Entry& entry);

/// Ok when nobody has the database `name` in `dir` open, as far as locks tell: a connection in WAL
/// mode has one as long as it lives, with a rollback journal only during a transaction. Locked: the
/// message says what to do. Other errors: of the target.
Status check_database_unused(Dir& dir, const std::string& name);

/// A log or journal that is not empty: `name` alone does not say what the database holds. Errors:
/// of the target.
Result<bool> has_log_beside(Dir& dir, const std::string& name);

/// There is something to remove. Errors: of the target.
Result<bool> has_leftovers(Dir& dir, const std::string& name);

/// Removes them. Of the restoring thread.
class DatabaseLeftovers {
 public:
  /// When it returns, what lay beside the database `name` is gone for good. To be called after
  /// check_database_unused. Errors: of the target; part of it may be gone then.
  Status remove(const std::shared_ptr<Dir>& dir, const std::string& name);

 private:
  // The folder synced last, shared with what is restored into it: what an interrupted run removed
  // there is gone for good, too, though it can no longer be seen.
  std::shared_ptr<Dir> synced_;
};

}  // namespace pagevault::engine
