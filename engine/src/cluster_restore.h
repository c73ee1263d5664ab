// Restores a whole PostgreSQL cluster, so that what stands at the target is a data directory that
// starts, or one that cannot be started. docs/postgres.md, "Restoring".
//
// Problem. A server takes whatever lies in its data directory for the cluster: half of a restore,
// relation files and WAL of another time, or, through a link in pg_tblspc, the tablespaces of a
// server that runs. And a data directory that is being restored looks whole long before it is.
//
// Invariants
//  1. What is refused is refused before anything is written: a target that is not empty (with
//     `delta`: that is no data directory of this cluster, or on which a server runs), a tablespace
//     without a place, a place that is not empty and not this data directory's own.
//  2. From before the first change until everything is durable there is no global/pg_control, and
//     no server starts without it. Nor is it written when a part could not be restored.
//  3. Links in pg_tblspc are those the operator asked for, never those of the snapshot (S14). They
//     stand before the first file goes through them, so that an interrupted restore finds its own
//     places again and may use them though they are not empty.
//  4. With `delta` nothing stays that the snapshot has not; in a tablespace's directory, nothing
//     below its PG_* folders.
//
// Order, after the checks:
//
//   1 mark .pv-restore-unfinished, synced       who finds it may run the restore again
//   2 delta: global/pg_control set aside, synced; then no server can start. One that did between
//     the check and now has written postmaster.pid: looked at again, and all is put back
//   3 delta: what the snapshot has not is removed
//   4 links of tablespaces, synced with all above; delta: their directories, as 3
//   5 all files but global/pg_control
//   6 recovery.signal and settings; owner and mode of the data directory
//   7 every file system synced
//   8 global/pg_control, synced; the mark removed, synced

#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cluster_sweep.h"
#include "pagevault/engine/restore.h"
#include "recovery_settings.h"
#include "restore_outcome.h"

namespace pagevault::engine {

/// Of the restoring thread. plan, begin, then the walk asks, finish.
class ClusterRestore {
 public:
  /// Everything that can be refused is; nothing is written. All arguments outlive it.
  static Result<std::unique_ptr<ClusterRestore>> plan(Workspace& workspace,
                                                      const repo::Snapshot& snapshot,
                                                      const RestoreRequest& request,
                                                      RestoreOutcome& outcome);

  /// Of folders above the data directory and tablespaces that have to be made: the server's user
  /// must get through them.
  MetadataChange metadata_of_parents() const {
    return {.mode = {}, .uid = owner_.uid, .gid = owner_.gid, .mtime_ns = {}};
  }

  /// Steps 1 to 4. `target` is null in a dry run without one. Errors: Locked; of the target.
  Status begin(const std::shared_ptr<Dir>& target, const repo::Entry& top);

  /// The walk does not restore what is at `path` in the snapshot.
  bool leaves_out(const std::string& path) const { return rules_.left_out.contains(path); }
  /// The directory that a folder of the snapshot goes to, if that is not one of its name: a
  /// tablespace's. Null: an ordinary folder (or, in a dry run, one that is not there).
  std::shared_ptr<Dir> directory_of(const std::string& path) const;
  bool is_tablespace(const std::string& path) const;
  /// Errors: Unsupported (a link in pg_tblspc).
  static Status check_entry(const std::string& path, const repo::Entry& entry);

  /// Steps 6 to 8, once the files are finished.
  Status finish();

 private:
  ClusterRestore(Workspace& workspace, const repo::Snapshot& snapshot,
                 const RestoreRequest& request, RestoreOutcome& outcome)
      : workspace_(workspace), snapshot_(snapshot), request_(request), outcome_(outcome) {}

  Status check_request() const;
  Status find_entries();
  void decide_what_is_left_out();
  Status mark();
  Status set_control_aside();
  Status sweep(const repo::Entry& top);
  Status place();
  Status link(Dir& links, const TablespaceTarget& tablespace);
  Status open_tablespace(const TablespaceTarget& tablespace);
  Status sweep_tablespace(const TablespaceTarget& tablespace);
  Status complete();
  void withhold();
  Status set_top_metadata();
  Status sync();
  Status restore_control();
  Status unmark();
  ClusterSweep::Mode sweep_mode() const;

  Workspace& workspace_;
  const repo::Snapshot& snapshot_;
  const RestoreRequest& request_;
  RestoreOutcome& outcome_;
  std::vector<TablespaceTarget> tablespaces_;
  ClusterSweep::Rules rules_;
  repo::Entry control_;
  Owner owner_;
  std::shared_ptr<Dir> target_;                              // As the run's.
  std::map<std::string, std::shared_ptr<Dir>> directories_;  // Of tablespaces, by path.
};

}  // namespace pagevault::engine
