// Writes a snapshot, or a part of it, to a directory. docs/architecture.md, "Restore".

#pragma once

#include <functional>
#include <string>
#include <vector>

#include "pagevault/engine/workspace.h"

namespace pagevault::engine {

enum class Overwrite : std::uint8_t { Always, IfChanged, Never };

/// Where the content of a tablespace goes.
struct TablespaceTarget {
  std::uint32_t oid = 0;
  std::string directory;  ///< Absolute; empty: in place, a plain folder pg_tblspc/<oid>.
  bool operator==(const TablespaceTarget&) const = default;
};

/// A setting for recovery, as in postgresql.conf.
struct RecoveryOption {
  std::string name;
  std::string value;  ///< Without quotes.
};

/// How a whole PostgreSQL cluster is restored (engine/src/cluster_restore.h).
struct ClusterOptions {
  std::vector<TablespaceTarget> tablespaces;
  /// Absolute; the other tablespaces that lay outside of the data directory go to <this>/<oid>.
  /// Empty: each of them needs a place of its own.
  std::string tablespaces_below;
  /// Leave recovery.signal, and the restore_command that a server then wants.
  bool recovery_signal = true;
  std::vector<RecoveryOption> recovery_options;
};

struct RestoreRequest {
  SnapshotId snapshot;
  std::string path;    ///< Inside the snapshot, "" = all. A folder's content, or one file.
  std::string target;  ///< Directory; created (with parents) when absent.
  std::vector<std::string> includes;  ///< Globs as in BackupRequest::excludes; empty = everything.
  std::vector<std::string> excludes;
  Overwrite overwrite = Overwrite::Always;
  bool verify = false;         ///< Hash every chunk against its id.
  bool delta = false;          ///< Change files that are there in place; not with Overwrite::Never.
  bool dry_run = false;        ///< Say what would be written.
  bool allow_special = false;  ///< Device nodes, setuid and setgid bits, file capabilities (S14).
  /// With `verify`: what is wrong with the database at this path, once it is restored (none: it is
  /// sound). Empty: databases are not looked into. Of the restore's thread.
  std::function<Result<std::vector<std::string>>(const std::string& path)> check_database = {};
  ClusterOptions cluster = {};  ///< Only where restores_cluster().
};

/// The request is for a whole PostgreSQL cluster, to which the rules of cluster_restore.h apply:
/// all of a snapshot of one, without includes.
bool restores_cluster(const repo::Snapshot& snapshot, const RestoreRequest& request);

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
  /// What is about to be removed (dry run: that would be), path relative to the target.
  virtual void on_removal(const std::string& /*path*/) {}
  virtual void on_warning(const std::string& /*text*/) {}
};

struct RestoreReport {
  std::uint64_t files = 0;
  std::uint64_t files_skipped = 0;    ///< By overwrite policy.
  std::uint64_t files_unchanged = 0;  ///< Of `files`: delta found every byte in place.
  std::uint64_t directories = 0;
  std::uint64_t others = 0;
  std::uint64_t bytes_compared = 0;  ///< Delta: read of what was there.
  std::uint64_t bytes_equal = 0;     ///< Delta: found as in the snapshot, left alone.
  std::uint64_t bytes_zeroed = 0;    ///< Delta: became holes.
  std::uint64_t bytes_fetched = 0;   ///< Plain bytes taken from the repository.
  std::uint64_t bytes_written = 0;
  std::uint64_t bytes_holes = 0;
  std::uint64_t damaged = 0;  ///< Problems that come from the repository: exit 20.
  std::uint64_t failed = 0;   ///< Problems of the target: exit 1.
  std::uint64_t databases_checked = 0;
  std::uint64_t databases_unsound = 0;  ///< Exactly as in the snapshot, but damaged: exit 20.
  std::uint64_t metadata_skipped = 0;   ///< Owners, xattrs and the like that could not be set.
  std::uint64_t removed = 0;            ///< Cluster with delta: names that the snapshot has not.
  /// Of a cluster that could not be restored whole, global/pg_control was left out: no server
  /// starts on it.
  bool control_withheld = false;
};

/// Files appear under their name only when complete; a damaged one is kept as `NAME.pv-damaged`.
///
/// With `delta` a regular file that is there, can be read and has no second name is not replaced
/// but changed in place. Every extent of the snapshot is compared with the bytes at its place by
/// gate (with `verify` also by id); only those that differ are fetched and written, what is a hole
/// in the snapshot becomes zeros, and the length is set. Everything else is restored as without
/// `delta`; what the snapshot has not is left alone. For a file changed in place:
/// - It is mode 0600 from before the first write until its metadata is set.
/// - An interruption, a crash, a failed write or a full disk leave it under its name, partly old
/// and
///   partly new; every byte is compared again by the next run, which completes it.
/// - When ranges cannot be restored it becomes `NAME.pv-damaged`, even if nothing else differed,
/// and
///   no file is left under NAME. There the ranges named as problems hold what they held before
///   (zeros beyond the old end), since that may be the last copy; everything else is as in the
///   snapshot.
/// - With Overwrite::IfChanged it is synced before its times are set, so that after a power loss
/// equal
///   times still mean equal bytes.
///
/// An entry that is the image of a SQLite database (DatabaseRecord, not stored_as_file) is complete
/// without a log: what SQLite left beside the target's old one (-wal, -shm, -journal) is removed
/// before the new bytes have the name, in place before the first is written
/// (engine/src/database_leftovers.h). As far as locks tell that it is in use it is left alone, a
/// problem with the code Locked. Overwrite::IfChanged skips it only when no log or journal lies
/// beside it and the image had no page from a log. Overwrite::Never with an old log and no database
/// is a problem, as nothing may be removed then.
///
/// A whole PostgreSQL cluster (restores_cluster) is more than its files: what holds then stands in
/// engine/src/cluster_restore.h.
///
/// Errors: NotFound (snapshot or path), InvalidArgument (delta and Overwrite::Never; what a cluster
/// or its target does not allow), AlreadyExists (a cluster's target that is not empty), Locked (a
/// server runs there), NoSpace, Cancelled.
Result<RestoreReport> run_restore(Workspace& workspace, const RestoreRequest& request,
                                  RestoreObserver& observer);

/// Writes the bytes of one file, in order, to `sink`. Errors: NotFound, InvalidArgument (not a
/// file), Corrupt and AuthFailed with the byte range.
Status dump_file(Workspace& workspace, const SnapshotId& snapshot, const std::string& path,
                 const std::function<Status(ByteView)>& sink);

/// Writes a whole snapshot as a tar archive to `sink`: files, folders, links; owners by number. Of
/// a PostgreSQL cluster what a data directory is (no backup_manifest.original), tablespaces in
/// place, global/pg_control last. A file of several names is written as often; of what else is left
/// out `observer` gets warnings. Errors: as dump_file; InvalidArgument for a name or size that
/// ustar cannot hold. The archive has no end mark then.
Status dump_tar(Workspace& workspace, const SnapshotId& snapshot,
                const std::function<Status(ByteView)>& sink, RestoreObserver& observer);

}  // namespace pagevault::engine
