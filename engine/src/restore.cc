// A restore walks the snapshot's tree, creates what it meets, and gathers the extents of files
// into windows. A window is fetched in one planned batch (extent_batch.h) while workers decode and
// write the one before. Files get their names when they are complete, in order of the walk.

#include "pagevault/engine/restore.h"

#include <algorithm>
#include <deque>
#include <functional>

#include "glob.h"
#include "hard_links.h"
#include "output_file.h"
#include "pagevault/base/path.h"
#include "pagevault/engine/tree.h"
#include "restore_metadata.h"
#include "restore_window.h"

namespace pagevault::engine {

namespace {

constexpr std::size_t kPendingMax = 256;  // Files open at once.
constexpr std::int64_t kProgressNs = 100'000'000;

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
      : workspace_(workspace),
        request_(request),
        observer_(observer),
        window_(workspace, request.verify) {}

  Result<RestoreReport> run();

 private:
  // Passes, in order.
  Status locate();
  Status open_target();
  Status walk();
  Status finish();

  Status step(Level& level, repo::Entry entry);
  Status enter(repo::Entry entry, const std::string& path, bool included);
  void leave();
  Status restore_entry(const std::shared_ptr<Dir>& dir, repo::Entry entry, const std::string& path);
  Status restore_file(RestorePlace place, repo::Entry entry);
  Status schedule(const std::shared_ptr<OutputFile>& file);
  Status restore_other(Dir& dir, const repo::Entry& entry);
  Result<bool> skip_existing(Dir& dir, const repo::Entry& entry);
  Result<std::shared_ptr<Dir>> dir_of(std::size_t level);

  Status flush_window();
  Status settle(std::size_t leave_pending);
  Status finish_file(OutputFile& file);
  Status publish(OutputFile& file);
  void set_metadata(Dir& dir, const std::string& name, const repo::Entry& entry);
  void make_links();
  Status problem(const std::string& path, const Error& error);
  void progress();

  // What happens in order of the walk, once files before it are complete.
  struct Pending {
    std::shared_ptr<OutputFile> file;  // A file to finish; or
    std::function<void()> then;        // something to do.
  };

  Workspace& workspace_;
  const RestoreRequest& request_;
  RestoreObserver& observer_;
  RestoreReport report_;
  RestoreProgress progress_;
  std::int64_t last_progress_ns_ = 0;
  std::string top_path_;
  repo::Entry top_;
  std::shared_ptr<Dir> target_;  // Shared with files restored into it.
  std::vector<Level> levels_;
  HardLinks links_;
  std::deque<Pending> pending_;
  Completion completion_;
  RestoreWindow window_;  // Last: its tasks use what stands above.
};

Result<RestoreReport> RestoreRun::run() {
  PV_TRY(locate());
  PV_TRY(open_target());
  PV_TRY(walk());
  PV_TRY(finish());
  return report_;
}

// ---- passes ---------------------------------------------------------------------------------

Status RestoreRun::locate() {
  PV_TRY_ASSIGN(const repo::Snapshot snapshot,
                workspace_.repository().read_snapshot(request_.snapshot));
  PV_TRY(workspace_.refresh_index());
  PV_TRY_ASSIGN(top_, find_entry(workspace_, snapshot, request_.path));
  const auto parts = split_path(request_.path);
  for (const std::string& part : parts) top_path_ += "/" + part;
  if (parts.empty() && request_.includes.empty())
    progress_.bytes_total = snapshot.stats.bytes_source;
  return ok();
}

Status RestoreRun::open_target() {
  if (request_.dry_run) return ok();
  PV_TRY_ASSIGN(target_, make_dirs(workspace_.env(), request_.target));
  return ok();
}

Status RestoreRun::walk() {
  if (top_.info.type != FileType::Directory) return restore_entry(target_, top_, top_path_);
  levels_.push_back({top_path_, top_, target_, request_.includes.empty(),
                     DirectoryReader(workspace_.reader(), top_.map, top_.info.size)});
  while (!levels_.empty()) {
    PV_TRY(workspace_.cancel().check());
    Level& level = levels_.back();
    auto next = level.reader.next();
    if (!next) {
      PV_TRY(problem(level.path, next.error()));
      leave();
    } else if (!*next) {
      leave();
    } else {
      PV_TRY(step(level, std::move(**next)));
    }
  }
  return ok();
}

Status RestoreRun::finish() {
  PV_TRY(flush_window());
  PV_TRY(settle(0));
  make_links();
  report_.bytes_written = window_.bytes_written();
  progress_.bytes_done = report_.bytes_written;
  progress_.files_done = report_.files;
  observer_.on_progress(progress_);
  return ok();
}

// ---- the walk -------------------------------------------------------------------------------

Status RestoreRun::step(Level& level, repo::Entry entry) {
  const std::string path = level.path + "/" + entry.name;
  if (matches_any(request_.excludes, path, entry.name)) return ok();
  const bool included = level.included || matches_any(request_.includes, path, entry.name);
  if (entry.info.type == FileType::Directory) return enter(std::move(entry), path, included);
  if (!included) return ok();
  auto dir = dir_of(levels_.size() - 1);
  if (!dir) return problem(path, dir.error());
  return restore_entry(*dir, std::move(entry), path);
}

Status RestoreRun::enter(repo::Entry entry, const std::string& path, bool included) {
  if (levels_.size() >= repo::kDirectoryDepthMax) {
    return problem(path, Error(ErrorCode::Corrupt, "folders nested too deeply"));
  }
  DirectoryReader reader(workspace_.reader(), entry.map, entry.info.size);
  levels_.push_back({path, std::move(entry), nullptr, included, std::move(reader)});
  if (!included) return ok();
  auto dir = dir_of(levels_.size() - 1);
  if (dir) return ok();
  levels_.pop_back();
  return problem(path, dir.error());
}

// The open directory of a level, made together with the ones above it. Null in a dry run.
Result<std::shared_ptr<Dir>> RestoreRun::dir_of(std::size_t level) {
  std::size_t known = level;
  while (known > 0 && !levels_[known].dir) --known;
  for (std::size_t i = known + 1; i <= level; ++i) {
    if (request_.dry_run) continue;
    const std::string& name = levels_[i].entry.name;
    Dir& above = *levels_[i - 1].dir;
    const Status made = above.make_dir(name);
    if (!made && made.error().code() != ErrorCode::AlreadyExists) return made.error();
    PV_TRY_ASSIGN(levels_[i].dir, above.open_dir(name));
    ++report_.directories;
    observer_.on_entry(levels_[i].path);
  }
  return levels_[level].dir;
}

void RestoreRun::leave() {
  const Level level = std::move(levels_.back());
  levels_.pop_back();
  if (!level.dir || levels_.empty()) return;
  // After the files in it: creating them changes its times.
  pending_.push_back({nullptr, [this, above = levels_.back().dir, entry = level.entry] {
                        set_metadata(*above, entry.name, entry);
                      }});
}

Status RestoreRun::restore_entry(const std::shared_ptr<Dir>& dir, repo::Entry entry,
                                 const std::string& path) {
  const bool is_file = entry.info.type == FileType::Regular;
  if (request_.dry_run) {
    is_file ? ++report_.files : ++report_.others;
    if (is_file) report_.bytes_written += entry.info.size;
    observer_.on_entry(path);
    return ok();
  }
  const auto skipped = skip_existing(*dir, entry);
  if (!skipped) return problem(path, skipped.error());
  if (*skipped) {
    ++report_.files_skipped;
    return ok();
  }
  observer_.on_entry(path);
  if (is_file) return restore_file({dir, entry.name, path}, entry);
  const Status made = restore_other(*dir, entry);
  return made ? ok() : problem(path, made.error());
}

Result<bool> RestoreRun::skip_existing(Dir& dir, const repo::Entry& entry) {
  if (request_.overwrite == Overwrite::Always) return false;
  const auto there = dir.stat(entry.name);
  if (!there) {
    if (there.error().code() == ErrorCode::NotFound) return false;
    return there.error();
  }
  if (request_.overwrite == Overwrite::Never) return true;
  return there->type == entry.info.type && there->size == entry.info.size &&
         there->mtime_ns == entry.info.mtime_ns;
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
  ++report_.others;
  set_metadata(dir, entry.name, entry);
  return ok();
}

Status RestoreRun::restore_file(RestorePlace place, repo::Entry entry) {
  if (links_.is_further_name(entry, place)) return ok();
  const std::string path = place.path;
  auto file = OutputFile::create(workspace_.env(), std::move(place), std::move(entry), completion_);
  if (!file) {
    links_.fail(path);
    return problem(path, file.error());
  }
  PV_TRY(schedule(*file));
  (*file)->end_part();
  pending_.push_back({*file, nullptr});
  if (pending_.size() < kPendingMax) return settle(kPendingMax);
  PV_TRY(flush_window());
  return settle(kPendingMax / 2);
}

// Wants every extent of the file; damaged parts of the map become problems of their ranges.
Status RestoreRun::schedule(const std::shared_ptr<OutputFile>& file) {
  const repo::Entry& entry = file->entry();
  MapReader map(workspace_.reader(), entry.map, entry.info.size);
  for (std::uint64_t span = 0; span < map.spans(); ++span) {
    PV_TRY(workspace_.cancel().check());
    std::uint64_t at = span * repo::kSpanBytes;
    const auto node = map.span(span);
    if (!node) {
      file->add_problem(at, std::min(repo::kSpanBytes, entry.info.size - at), node.error());
      continue;
    }
    for (const repo::Extent& extent : *node) {
      if (extent.hole) {
        report_.bytes_holes += extent.length;  // The file was made of one hole.
      } else {
        window_.want(file, at, extent);
      }
      at += extent.length;
      if (window_.full()) PV_TRY(flush_window());
    }
  }
  return ok();
}

Status RestoreRun::flush_window() {
  window_.flush();
  progress();
  return workspace_.cancel().check();
}

// Finishes what is complete, in order; waits only while more than `leave_pending` are left.
Status RestoreRun::settle(std::size_t leave_pending) {
  while (!pending_.empty()) {
    const std::shared_ptr<OutputFile> file = pending_.front().file;
    if (file && !file->done()) {
      if (pending_.size() <= leave_pending) return ok();
      completion_.wait([&] { return file->done(); });
    }
    const Pending next = std::move(pending_.front());
    pending_.pop_front();
    if (next.then) next.then();
    if (next.file) PV_TRY(finish_file(*next.file));
  }
  return ok();
}

Status RestoreRun::finish_file(OutputFile& file) {
  ++report_.files;
  const std::string& path = file.place().path;
  const Status published = publish(file);
  if (!published || !file.problems().empty()) links_.fail(path);
  return published ? ok() : problem(path, published.error());
}

Status RestoreRun::publish(OutputFile& file) {
  if (const auto failure = file.target_failure()) return *failure;
  for (const RestoreProblem& each : file.problems()) {
    ++report_.damaged;
    observer_.on_problem(each);
  }
  set_metadata(*file.place().dir, file.temporary_name(), file.entry());
  return file.publish();
}

void RestoreRun::set_metadata(Dir& dir, const std::string& name, const repo::Entry& entry) {
  report_.metadata_skipped += restore_metadata(
      dir, name, entry, request_.allow_special ? SpecialBits::Restore : SpecialBits::Drop);
}

void RestoreRun::make_links() {
  for (const HardLinks::Link& link : links_.links()) {
    const Status made =
        links_.make(link, target_, top_path_, request_.overwrite != Overwrite::Never);
    if (made) ++report_.files;
    if (!made) {
      problem(link.place.path, made.error()).ignore("counted and reported; the others go on");
    }
  }
}

// ---- reporting ------------------------------------------------------------------------------

// One entry failed: reported, counted by whose fault it is, and the rest goes on. A full disk and a
// request to stop end it.
Status RestoreRun::problem(const std::string& path, const Error& error) {
  if (error.code() == ErrorCode::NoSpace || error.code() == ErrorCode::Cancelled) {
    return error.with_context(path);
  }
  const bool damage = error.code() == ErrorCode::Corrupt || error.code() == ErrorCode::AuthFailed;
  damage ? ++report_.damaged : ++report_.failed;
  observer_.on_problem({path, 0, 0, error});
  return ok();
}

void RestoreRun::progress() {
  const std::int64_t now = workspace_.env().monotonic_ns();
  if (now - last_progress_ns_ < kProgressNs) return;
  last_progress_ns_ = now;
  progress_.bytes_done = window_.bytes_written();
  progress_.files_done = report_.files;
  observer_.on_progress(progress_);
}

}  // namespace

Result<RestoreReport> run_restore(Workspace& workspace, const RestoreRequest& request,
                                  RestoreObserver& observer) {
  return RestoreRun(workspace, request, observer).run();
}

}  // namespace pagevault::engine
