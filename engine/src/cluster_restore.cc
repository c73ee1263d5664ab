#include "cluster_restore.h"

#include <fmt/format.h>

#include <algorithm>

#include "cluster_plan.h"
#include "cluster_target.h"
#include "file_restore.h"
#include "file_stat.h"
#include "pagevault/base/path.h"

namespace pagevault::engine {

namespace {

constexpr std::string_view kControlPath = "/global/pg_control";
constexpr std::string_view kControl = "pg_control";
constexpr std::string_view kControlAside = "pg_control.pv-aside";  // Swept: no snapshot has it.
constexpr std::string_view kServersManifest = "/backup_manifest.original";
constexpr std::string_view kStandbySignal = "/standby.signal";

constexpr std::uint32_t kDirectoryMode = 0700;
constexpr std::uint32_t kDirectoryModeOfGroup = 0750;

bool is_asked_for(const ClusterOptions& options) {
  return !options.tablespaces.empty() || !options.tablespaces_below.empty() ||
         !options.recovery_signal || !options.recovery_options.empty();
}

Status make_dir_if_missing(Dir& above, std::string_view name) {
  const Status made = above.make_dir(name);
  if (!made && made.error().code() != ErrorCode::AlreadyExists) return made.error();
  return ok();
}

}  // namespace

bool restores_cluster(const repo::Snapshot& snapshot, const RestoreRequest& request) {
  return snapshot.kind == repo::SnapshotKind::Postgres && split_path(request.path).empty() &&
         request.includes.empty();
}

// ---- before anything is written -------------------------------------------------------------

Result<std::unique_ptr<ClusterRestore>> ClusterRestore::plan(Workspace& workspace,
                                                             const repo::Snapshot& snapshot,
                                                             const RestoreRequest& request,
                                                             RestoreOutcome& outcome) {
  if (!restores_cluster(snapshot, request)) {
    if (!is_asked_for(request.cluster)) return std::unique_ptr<ClusterRestore>();
    return Error(ErrorCode::InvalidArgument,
                 "places of tablespaces and settings for recovery go with a whole PostgreSQL "
                 "snapshot, not with a part of one or another kind");
  }
  std::unique_ptr<ClusterRestore> out(new ClusterRestore(workspace, snapshot, request, outcome));
  PV_TRY(out->check_request());
  PV_TRY(out->find_entries());
  PV_TRY_ASSIGN(out->tablespaces_,
                place_tablespaces(*snapshot.postgres, request.cluster, request.target));
  PV_TRY(check_cluster_target(workspace.env(), request, *snapshot.postgres, out->tablespaces_));
  out->decide_what_is_left_out();
  return out;
}

Status ClusterRestore::check_request() const {
  if (!request_.excludes.empty()) {
    return Error(ErrorCode::InvalidArgument,
                 "without what is excluded the cluster would not be whole: restore all of it, or "
                 "name the parts you want (--include, SNAPSHOT:PATH)");
  }
  return check_recovery_options(request_.cluster);
}

Status ClusterRestore::find_entries() {
  PV_TRY_ASSIGN(const repo::Entry global, find_entry(workspace_, snapshot_, "global"));
  owner_ = {.uid = global.info.uid, .gid = global.info.gid};
  PV_TRY_ASSIGN(control_, find_entry(workspace_, snapshot_, std::string(kControlPath)));
  if (control_.info.type == FileType::Regular) return ok();
  return Error(ErrorCode::Corrupt, "global/pg_control of the snapshot is no file");
}

void ClusterRestore::decide_what_is_left_out() {
  rules_.left_out = {std::string(kControlPath), std::string(kServersManifest)};
  rules_.kept.insert("/" + std::string(kUnfinishedMark));
  for (const TablespaceTarget& each : tablespaces_) {
    if (!each.directory.empty()) rules_.kept.insert(tablespace_path(each.oid));
  }
  // A server takes it for the stronger signal, and would follow the old primary.
  if (request_.cluster.recovery_signal) rules_.left_out.insert(std::string(kStandbySignal));
}

// ---- before the files -----------------------------------------------------------------------

Status ClusterRestore::begin(const std::shared_ptr<Dir>& target, const repo::Entry& top) {
  target_ = target;
  if (!request_.dry_run) {
    PV_TRY(mark());
    if (request_.delta) PV_TRY(set_control_aside());
  }
  if (request_.delta && target_) PV_TRY(sweep(top));
  return place();
}

Status ClusterRestore::mark() {
  const auto made = target_->open_file(kUnfinishedMark, OpenMode::CreateExclusive);
  if (!made && made.error().code() != ErrorCode::AlreadyExists) return made.error();
  return target_->sync();
}

Status ClusterRestore::set_control_aside() {
  PV_TRY_ASSIGN(const auto folder, stat_if_there(*target_, "global"));
  if (!folder) return ok();
  if (folder->type != FileType::Directory) {
    // A server would follow a link.
    PV_TRY(target_->remove_file("global"));
    return target_->sync();
  }
  PV_TRY_ASSIGN(const auto global, target_->open_dir("global"));
  PV_TRY_ASSIGN(const auto there, stat_if_there(*global, std::string(kControl)));
  if (!there) return ok();
  PV_TRY(global->rename_replace(kControl, kControlAside));
  PV_TRY(global->sync());
  Status stopped = check_server_stopped(workspace_.env(), *target_);
  if (stopped) return ok();
  PV_TRY(global->rename_replace(kControlAside, kControl));
  target_->remove_file(kUnfinishedMark).ignore("says no more than that it may be restored again");
  return stopped;
}

ClusterSweep::Mode ClusterRestore::sweep_mode() const {
  return request_.dry_run ? ClusterSweep::Mode::OnlyTell : ClusterSweep::Mode::Remove;
}

Status ClusterRestore::sweep(const repo::Entry& top) {
  ClusterSweep::Rules rules = rules_;
  // The old one is there in a dry run only; then it would be replaced, not removed.
  rules.left_out.erase(std::string(kControlPath));
  ClusterSweep sweep(workspace_, outcome_, rules, sweep_mode());
  return sweep.sweep(target_, top, "", ClusterSweep::Top::All);
}

Status ClusterRestore::place() {
  std::unique_ptr<Dir> links;
  for (const TablespaceTarget& tablespace : tablespaces_) {
    if (tablespace.directory.empty()) continue;
    if (!request_.dry_run) {
      if (!links) {
        PV_TRY(make_dir_if_missing(*target_, "pg_tblspc"));
        PV_TRY_ASSIGN(links, target_->open_dir("pg_tblspc"));
      }
      PV_TRY(link(*links, tablespace));
    }
    PV_TRY(open_tablespace(tablespace));
    if (request_.delta) PV_TRY(sweep_tablespace(tablespace));
  }
  // The name of the data directory itself, too: without it the links are lost with their folder,
  // and the next run would find places that are not empty and nobody's.
  return directories_.empty() || request_.dry_run ? ok() : target_->sync_file_system();
}

Status ClusterRestore::link(Dir& links, const TablespaceTarget& tablespace) {
  PV_TRY_ASSIGN(const bool linked, is_linked(links, tablespace));
  if (linked) return links.sync();
  // With `delta` there may be a link to another place, or it was in place.
  const std::string name = std::to_string(tablespace.oid);
  ClusterSweep sweep(workspace_, outcome_, rules_, sweep_mode());
  PV_TRY(sweep.remove(links, name, tablespace_path(tablespace.oid)));
  PV_TRY(links.make_symlink(name, tablespace.directory));
  return links.sync();
}

Status ClusterRestore::open_tablespace(const TablespaceTarget& tablespace) {
  auto opened = request_.dry_run
                    ? workspace_.env().open_dir(tablespace.directory)
                    : make_dirs(workspace_.env(), tablespace.directory, metadata_of_parents());
  if (!opened && request_.dry_run && opened.error().code() == ErrorCode::NotFound) return ok();
  if (!opened) return opened.error();
  directories_.emplace(tablespace_path(tablespace.oid), std::move(*opened));
  return ok();
}

Status ClusterRestore::sweep_tablespace(const TablespaceTarget& tablespace) {
  const std::string path = tablespace_path(tablespace.oid);
  const std::shared_ptr<Dir> directory = directory_of(path);
  auto entry = find_entry(workspace_, snapshot_, path);
  if (!directory || !entry) return ok();  // An entry that cannot be read the walk reports.
  ClusterSweep sweep(workspace_, outcome_, rules_, sweep_mode());
  return sweep.sweep(directory, std::move(*entry), path, ClusterSweep::Top::OnlyThoseOfSnapshot);
}

// ---- what the walk asks ---------------------------------------------------------------------

std::shared_ptr<Dir> ClusterRestore::directory_of(const std::string& path) const {
  const auto found = directories_.find(path);
  return found == directories_.end() ? nullptr : found->second;
}

bool ClusterRestore::is_tablespace(const std::string& path) const {
  return std::ranges::any_of(tablespaces_, [&](const TablespaceTarget& each) {
    return !each.directory.empty() && path == tablespace_path(each.oid);
  });
}

Status ClusterRestore::check_entry(const std::string& path, const repo::Entry& entry) {
  if (entry.info.type != FileType::Symlink || !path.starts_with("/pg_tblspc/")) return ok();
  return Error(ErrorCode::Unsupported,
               "a link among the tablespaces of the snapshot is not made: it may lead to one that "
               "is in use");
}

// ---- after the files ------------------------------------------------------------------------

Status ClusterRestore::finish() {
  if (outcome_.report.damaged + outcome_.report.failed > 0) {
    withhold();
    return ok();
  }
  if (!request_.dry_run) PV_TRY(complete());
  PV_TRY(restore_control());
  return request_.dry_run ? ok() : unmark();
}

void ClusterRestore::withhold() {
  outcome_.report.control_withheld = true;
  if (request_.dry_run) return;
  outcome_.observer().on_warning(fmt::format(
      "the cluster is not whole: its global/pg_control is left out, so that no server starts on "
      "{}; run the restore again with --delta, or, to save what there is, put the file there by "
      "restoring SNAPSHOT:/global/pg_control to {}/global",
      request_.target, request_.target));
}

Status ClusterRestore::complete() {
  if (request_.cluster.recovery_signal &&
      find_entry(workspace_, snapshot_, std::string(kStandbySignal))) {
    outcome_.observer().on_warning(
        "standby.signal of the snapshot is left out: recovery.signal stands in its place "
        "(--no-recovery-signal keeps the standby)");
  }
  PV_TRY_ASSIGN(const std::uint64_t owners_left,
                write_recovery_settings(*target_, request_.cluster, request_.snapshot, owner_));
  outcome_.report.metadata_skipped += owners_left;
  PV_TRY(set_top_metadata());
  return sync();
}

// A server refuses a data directory that others may read, or that is not its user's.
Status ClusterRestore::set_top_metadata() {
  const Status owned =
      target_->set_metadata("", {.mode = {}, .uid = owner_.uid, .gid = owner_.gid, .mtime_ns = {}});
  if (!owned) ++outcome_.report.metadata_skipped;
  const std::uint32_t mode =
      snapshot_.postgres->group_access ? kDirectoryModeOfGroup : kDirectoryMode;
  return target_->set_metadata("", {.mode = mode, .uid = {}, .gid = {}, .mtime_ns = {}});
}

Status ClusterRestore::sync() {
  for (const auto& [path, directory] : directories_) PV_TRY(directory->sync_file_system());
  return target_->sync_file_system();
}

Status ClusterRestore::restore_control() {
  std::shared_ptr<Dir> global;
  if (!request_.dry_run) {
    PV_TRY_ASSIGN(global, target_->open_dir("global"));
  }
  FileRestore files(workspace_, request_, outcome_, {.durability = FileRestore::Durability::Now});
  PV_TRY(files.restore({global, std::string(kControl), std::string(kControlPath)}, control_));
  return files.finish(target_, "");
}

Status ClusterRestore::unmark() {
  if (outcome_.report.damaged + outcome_.report.failed > 0) {
    withhold();
    return ok();
  }
  PV_TRY(target_->sync_file_system());
  PV_TRY(target_->remove_file(kUnfinishedMark));
  return target_->sync();
}

}  // namespace pagevault::engine
