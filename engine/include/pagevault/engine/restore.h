// Writes a snapshot, or a part of it, to a directory. docs/architecture.md, "Restore".

#pragma once

#include <functional>
#include <string>
#include <vector>

#include "pagevault/engine/workspace.h"

namespace pagevault::engine {

enum class Overwrite : std::uint8_t { Always, IfChanged, Never };

struct RestoreRequest {
  SnapshotId snapshot;
  std::string path;    ///< Inside the snapshot, "" = all. A folder's content, or one file.
  std::string target;  ///< Directory; created (with parents) when absent.
  std::vector<std::string> includes;  ///< Globs as in BackupRequest::excludes; empty = everything.
  std::vector<std::string> excludes;
  Overwrite overwrite = Overwrite::Always;
  bool verify = false;         ///< Hash every chunk against its id.
  bool dry_run = false;        ///< Say what would be written.
  bool allow_special = false;  ///< Device nodes, setuid and setgid bits, file capabilities (S14).
};

/// A range of a file that cannot be restored, or a name that was refused.
struct RestoreProblem {
  std::string path;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  ///< 0: the whole entry.
  Error error;
};

struct RestoreProgress {
  std::uint64_t files_done = 0;
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes_total = 0;  ///< 0 when not known.
};

class RestoreObserver {
 public:
  virtual ~RestoreObserver() = default;
  virtual void on_progress(const RestoreProgress&) {}
  virtual void on_problem(const RestoreProblem&) {}
  /// Each entry about to be written (dry run: that would be), path relative to the target.
  virtual void on_entry(const std::string& /*path*/) {}
};

struct RestoreReport {
  std::uint64_t files = 0;
  std::uint64_t files_skipped = 0;  ///< By overwrite policy.
  std::uint64_t directories = 0;
  std::uint64_t others = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t bytes_holes = 0;
  std::uint64_t damaged = 0;           ///< Problems that come from the repository: exit 20.
  std::uint64_t failed = 0;            ///< Problems of the target: exit 1.
  std::uint64_t metadata_skipped = 0;  ///< Owners, xattrs and the like that could not be set.
};

/// Files appear under their name only when complete; a damaged one is kept as `NAME.pv-damaged`.
/// Errors: NotFound (snapshot or path), NoSpace, Cancelled.
Result<RestoreReport> run_restore(Workspace& workspace, const RestoreRequest& request,
                                  RestoreObserver& observer);

/// Writes the bytes of one file, in order, to `sink`. Errors: NotFound, InvalidArgument (not a
/// file), Corrupt and AuthFailed with the byte range.
Status dump_file(Workspace& workspace, const SnapshotId& snapshot, const std::string& path,
                 const std::function<Status(ByteView)>& sink);

}  // namespace pagevault::engine
