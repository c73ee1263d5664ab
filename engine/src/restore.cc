// A restore walks the snapshot's tree and creates what it meets. The extents of files go into
// windows (file_restore.h, restore_window.h) that are fetched, decoded and written by workers while
// the walk goes on. With `delta` a file that is there already is compared first (in_place_update.h)
// and only what differs takes that way. For a whole PostgreSQL cluster there is more to do before
// and after, and some entries are not the walk's (cluster_restore.h).

#include "pagevault/engine/restore.h"

#include "cluster_restore.h"
#include "database_leftovers.h"
#include "file_restore.h"
#include "glob.h"
#include "pagevault/base/path.h"
#include "pagevault/engine/tree.h"

namespace pagevault::engine {

namespace {

// A directory on the way down: opened when something in it is restored.
struct Level {
  std::string path;  // In the snapshot.
  repo::Entry entry;
  std::shared_ptr<Dir> dir;  // Shared with the files restored into it. Null until needed.
  bool included = false;     // It, or a folder above it, was named by an include pattern.
  DirectoryReader reader;
};

class RestoreRun {
 public:
  RestoreRun(Workspace& workspace, const RestoreRequest& request, RestoreObserver& observer)
      : workspace_(workspace), request_(request), outcome_(workspace.env(), observer) {}

  Result<RestoreReport> run();

 private:
  // Passes, in order.
  Status locate();
  Status plan_cluster();
  Status open_target();
  Status begin_cluster();
  Status walk();
  Status finish_cluster();

  Status step(Level& level, repo::Entry entry);
  Status enter(repo::Entry entry, const std::string& path, bool included);
  void leave();
  Status restore_entry(const std::shared_ptr<Dir>& dir, repo::Entry entry, const std::string& path);
  Status restore_other(Dir& dir, const repo::Entry& entry);
  Result<bool> skip_existing(Dir& dir, const repo::Entry& entry);
  Result<std::shared_ptr<Dir>> dir_of(std::size_t level);
  Status open_level(Level& level, Dir* above);

  Workspace& workspace_;
  const RestoreRequest& request_;
  repo::Snapshot snapshot_;
  std::string top_path_;
  repo::Entry top_;
  std::shared_ptr<Dir> target_;  // Shared with files restored into it.
  std::vector<Level> levels_;
  RestoreOutcome outcome_;
  std::optional<FileRestore> files_;         // From plan_cluster on.
  std::unique_ptr<ClusterRestore> cluster_;  // Null unless a whole cluster is restored.
};

Result<RestoreReport> RestoreRun::run() {
  if (request_.delta && request_.overwrite == Overwrite::Never) {
    return Error(ErrorCode::InvalidArgument, "delta changes files that Overwrite::Never keeps");
  }
  PV_TRY(locate());
  PV_TRY(plan_cluster());
  PV_TRY(open_target());
  PV_TRY(begin_cluster());
  PV_TRY(walk());
  PV_TRY(files_->finish(target_, top_path_));
  PV_TRY(finish_cluster());
  return outcome_.report;
}

// ---- passes ---------------------------------------------------------------------------------

Status RestoreRun::locate() {
  PV_TRY_ASSIGN(snapshot_, workspace_.repository().read_snapshot(request_.snapshot));
  PV_TRY(workspace_.refresh_index());
  PV_TRY_ASSIGN(top_, find_entry(workspace_, snapshot_, request_.path));
  const auto parts = split_path(request_.path);
  for (const std::string& part : parts) top_path_ += "/" + part;
  if (parts.empty() && request_.includes.empty())
    outcome_.set_bytes_total(snapshot_.stats.bytes_source);
  return ok();
}

Status RestoreRun::plan_cluster() {
  PV_TRY_ASSIGN(cluster_, ClusterRestore::plan(workspace_, snapshot_, request_, outcome_));
  const bool synced = cluster_ != nullptr;  // All of it, at the end.
  files_.emplace(workspace_, request_, outcome_, FileRestore::Options{.past_cache = synced});
  return ok();
}

Status RestoreRun::open_target() {
  if (!request_.dry_run) {
    const MetadataChange of_new = cluster_ ? cluster_->metadata_of_parents() : MetadataChange{};
    PV_TRY_ASSIGN(target_, make_dirs(workspace_.env(), request_.target, of_new));
  } else if (request_.delta) {
    auto there = workspace_.env().open_dir(request_.target);
    if (there) target_ = std::move(*there);
    if (!there && there.error().code() != ErrorCode::NotFound) return there.error();
  }
  return ok();
}

Status RestoreRun::begin_cluster() { return cluster_ ? cluster_->begin(target_, top_) : ok(); }
Status RestoreRun::finish_cluster() { return cluster_ ? cluster_->finish() : ok(); }

Status RestoreRun::walk() {
  if (top_.info.type != FileType::Directory) return restore_entry(target_, top_, top_path_);
  levels_.push_back({top_path_, top_, target_, request_.includes.empty(),
                     DirectoryReader(workspace_.reader(), top_.map, top_.info.size)});
  while (!levels_.empty()) {
    PV_TRY(workspace_.cancel().check());
    Level& level = levels_.back();
    auto next = level.reader.next();
    if (!next) {
      PV_TRY(outcome_.problem(level.path, next.error()));
      leave();
    } else if (!*next) {
      leave();
    } else {
      PV_TRY(step(level, std::move(**next)));
    }
  }
  return ok();
}

// ---- the walk -------------------------------------------------------------------------------

Status RestoreRun::step(Level& level, repo::Entry entry) {
  const std::string path = level.path + "/" + entry.name;
  if (matches_any(request_.excludes, path, entry.name)) return ok();
  if (cluster_) {
    if (cluster_->leaves_out(path)) return ok();
    const Status sound = ClusterRestore::check_entry(path, entry);
    if (!sound) return outcome_.problem(path, sound.error());
  }
  const bool included = level.included || matches_any(request_.includes, path, entry.name);
  if (entry.info.type == FileType::Directory) return enter(std::move(entry), path, included);
  if (!included) return ok();
  auto dir = dir_of(levels_.size() - 1);
  if (!dir) return outcome_.problem(path, dir.error());
  return restore_entry(*dir, std::move(entry), path);
}

Status RestoreRun::enter(repo::Entry entry, const std::string& path, bool included) {
  if (levels_.size() >= repo::kDirectoryDepthMax) {
    return outcome_.problem(path, Error(ErrorCode::Corrupt, "folders nested too deeply"));
  }
  DirectoryReader reader(workspace_.reader(), entry.map, entry.info.size);
  levels_.push_back({path, std::move(entry), nullptr, included, std::move(reader)});
  if (!included) return ok();
  auto dir = dir_of(levels_.size() - 1);
  if (dir) return ok();
  levels_.pop_back();
  return outcome_.problem(path, dir.error());
}

// The open directory of a level, made together with the ones above it. A dry run makes none: null
// where it need not or cannot be looked into.
Result<std::shared_ptr<Dir>> RestoreRun::dir_of(std::size_t level) {
  std::size_t known = level;
  while (known > 0 && !levels_[known].dir) --known;
  for (std::size_t i = known + 1; i <= level; ++i) {
    PV_TRY(open_level(levels_[i], levels_[i - 1].dir.get()));
  }
  return levels_[level].dir;
}

Status RestoreRun::open_level(Level& level, Dir* above) {
  const std::string& name = level.entry.name;
  if (cluster_ && cluster_->is_tablespace(level.path)) {
    level.dir = cluster_->directory_of(level.path);
  } else if (request_.dry_run) {
    if (above == nullptr) return ok();  // Nothing to compare with.
    if (auto there = above->open_dir(name)) level.dir = std::move(*there);
  } else {
    const Status made = above->make_dir(name);
    if (!made && made.error().code() != ErrorCode::AlreadyExists) return made.error();
    PV_TRY_ASSIGN(level.dir, above->open_dir(name));
  }
  if (request_.dry_run) return ok();
  ++outcome_.report.directories;
  outcome_.observer().on_entry(level.path);
  return ok();
}

void RestoreRun::leave() {
  const Level level = std::move(levels_.back());
  levels_.pop_back();
  if (!level.dir || levels_.empty() || request_.dry_run) return;
  // After the files in it: creating them changes its times.
  if (cluster_ && cluster_->is_tablespace(level.path)) {
    files_->afterwards(
        [this, dir = level.dir, entry = level.entry] { files_->set_metadata(*dir, "", entry); });
    return;
  }
  files_->afterwards([this, above = levels_.back().dir, entry = level.entry] {
    files_->set_metadata(*above, entry.name, entry);
  });
}

Status RestoreRun::restore_entry(const std::shared_ptr<Dir>& dir, repo::Entry entry,
                                 const std::string& path) {
  if (dir) {
    const auto skipped = skip_existing(*dir, entry);
    if (!skipped) return outcome_.problem(path, skipped.error());
    if (*skipped) {
      ++outcome_.report.files_skipped;
      return ok();
    }
  }
  if (entry.info.type == FileType::Regular) {
    RestorePlace place{dir, entry.name, path};
    return files_->restore(std::move(place), std::move(entry));
  }
  outcome_.observer().on_entry(path);
  if (request_.dry_run) {
    ++outcome_.report.others;
    return ok();
  }
  const Status made = restore_other(*dir, entry);
  return made ? ok() : outcome_.problem(path, made.error());
}

Result<bool> RestoreRun::skip_existing(Dir& dir, const repo::Entry& entry) {
  if (request_.overwrite == Overwrite::Always) return false;
  const auto there = dir.stat(entry.name);
  if (!there && there.error().code() != ErrorCode::NotFound) return there.error();
  PV_TRY_ASSIGN(const bool log_beside,
                is_database_image(entry) ? has_log_beside(dir, entry.name) : Result<bool>(false));
  if (request_.overwrite == Overwrite::Never) {
    if (there || !log_beside) return static_cast<bool>(there);
    return Error(ErrorCode::AlreadyExists, dir.path() + "/" + entry.name +
                                               ": a log or journal of another database lies there");
  }
  return there && !log_beside && times_cover_image(entry) && there->type == entry.info.type &&
         there->size == entry.info.size && there->mtime_ns == entry.info.mtime_ns;
}

Status RestoreRun::restore_other(Dir& dir, const repo::Entry& entry) {
  const bool device =
      entry.info.type == FileType::CharDevice || entry.info.type == FileType::BlockDevice;
  if (device && !request_.allow_special) {
    return Error(ErrorCode::Unsupported, "device nodes are restored only with --allow-special");
  }
  if (request_.overwrite != Overwrite::Never) {
    dir.remove_file(entry.name).ignore("usually absent; what cannot be replaced fails below");
  }
  if (entry.info.type == FileType::Symlink) {
    PV_TRY(dir.make_symlink(entry.name, entry.link_target));
  } else {
    PV_TRY(dir.make_node(entry.name, entry.info));
  }
  ++outcome_.report.others;
  files_->set_metadata(dir, entry.name, entry);
  return ok();
}

}  // namespace

Result<RestoreReport> run_restore(Workspace& workspace, const RestoreRequest& request,
                                  RestoreObserver& observer) {
  return RestoreRun(workspace, request, observer).run();
}

}  // namespace pagevault::engine
