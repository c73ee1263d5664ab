// A restore walks the snapshot's tree, creates what it meets, and gathers the extents of files
// into windows. A window is fetched in one planned batch (extent_batch.h) while workers decode and
// write the one before. Files get their names when they are complete, in order of the walk. With
// `delta` a file that is there already is compared first (in_place_update.h) and only what differs
// takes that way.

#include "pagevault/engine/restore.h"

#include <algorithm>
#include <deque>
#include <functional>

#include "glob.h"
#include "hard_links.h"
#include "in_place_update.h"
#include "output_file.h"
#include "pagevault/base/path.h"
#include "pagevault/engine/tree.h"
#include "restore_metadata.h"
#include "restore_window.h"

namespace pagevault::engine {

namespace {

constexpr std::size_t kPendingMax = 256;  // Files open at once.
constexpr std::size_t kTargetBlocks = 8;  // Being compared, read ahead, and one joined.
constexpr unsigned kTargetReads = 8;      // In flight at most.
constexpr std::int64_t kProgressNs = 100'000'000;

// A directory on the way down: opened when something in it is restored.
struct Level {
  std::string path;  // In the snapshot.
  repo::Entry entry;
  std::shared_ptr<Dir> dir;  // Shared with the files restored into it. Null until needed.
  bool included = false;     // It, or a folder above it, was named by an include pattern.
  DirectoryReader reader;
};

// What existing files are read through.
struct TargetReading {
  explicit TargetReading(Env& env) : queue(env.make_io_queue(kTargetReads)) {
    queue->register_arena(pool.arena());
  }
  BlockPool pool{kTargetBlocks};
  std::unique_ptr<IoQueue> queue;
};

class RestoreRun {
 public:
  RestoreRun(Workspace& workspace, const RestoreRequest& request, RestoreObserver& observer)
      : workspace_(workspace),
        request_(request),
        observer_(observer),
        window_(workspace, {.verify = request.verify,
                            .fetch_by = request.delta ? FetchBy::Worker : FetchBy::Caller}) {}

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
  Status count_entry(const repo::Entry& entry, const std::string& path);
  Status restore_file(RestorePlace place, repo::Entry entry);
  Status update_file(RestorePlace place, repo::Entry entry, ExistingFile existing);
  Result<std::unique_ptr<InPlaceUpdate>> begin_update(const std::shared_ptr<OutputFile>& file,
                                                      ExistingFile existing);
  Status schedule(const std::shared_ptr<OutputFile>& file, InPlaceUpdate* update);
  Result<bool> is_wanted(std::uint64_t offset, const repo::Extent& extent, InPlaceUpdate* update);
  Status want(const std::shared_ptr<OutputFile>& file, std::uint64_t offset,
              const repo::Extent& extent);
  Status complete(const std::shared_ptr<OutputFile>& file);
  Status restore_other(Dir& dir, const repo::Entry& entry);
  Result<bool> skip_existing(Dir& dir, const repo::Entry& entry);
  Result<std::shared_ptr<Dir>> dir_of(std::size_t level);

  Status flush_window();
  Status settle(std::size_t leave_pending);
  Status finish_file(OutputFile& file);
  Status publish(OutputFile& file);
  void set_metadata(Dir& dir, const std::string& name, const repo::Entry& entry);
  SpecialBits special_bits() const;
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
  std::unique_ptr<TargetReading> target_reading_;  // Made when the first file is compared.
  HardLinks links_;
  std::deque<Pending> pending_;
  Completion completion_;
  RestoreWindow window_;  // Last: its tasks use what stands above.
};

Result<RestoreReport> RestoreRun::run() {
  if (request_.delta && request_.overwrite == Overwrite::Never) {
    return Error(ErrorCode::InvalidArgument, "delta changes files that Overwrite::Never keeps");
  }
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
  if (!request_.dry_run) {
    PV_TRY_ASSIGN(target_, make_dirs(workspace_.env(), request_.target));
  } else if (request_.delta) {
    auto there = workspace_.env().open_dir(request_.target);
    if (there) target_ = std::move(*there);
    if (!there && there.error().code() != ErrorCode::NotFound) return there.error();
  }
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
  if (!request_.dry_run) make_links();
  report_.bytes_written += window_.bytes_written();
  progress_.bytes_done = report_.bytes_written + report_.bytes_equal;
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

// The open directory of a level, made together with the ones above it. A dry run makes none: null
// where it need not or cannot be looked into.
Result<std::shared_ptr<Dir>> RestoreRun::dir_of(std::size_t level) {
  std::size_t known = level;
  while (known > 0 && !levels_[known].dir) --known;
  for (std::size_t i = known + 1; i <= level; ++i) {
    const std::string& name = levels_[i].entry.name;
    if (request_.dry_run) {
      if (!levels_[i - 1].dir) continue;  // Nothing to compare with.
      if (auto there = levels_[i - 1].dir->open_dir(name)) levels_[i].dir = std::move(*there);
      continue;
    }
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
  if (!level.dir || levels_.empty() || request_.dry_run) return;
  // After the files in it: creating them changes its times.
  pending_.push_back({nullptr, [this, above = levels_.back().dir, entry = level.entry] {
                        set_metadata(*above, entry.name, entry);
                      }});
}

Status RestoreRun::restore_entry(const std::shared_ptr<Dir>& dir, repo::Entry entry,
                                 const std::string& path) {
  if (dir) {
    const auto skipped = skip_existing(*dir, entry);
    if (!skipped) return problem(path, skipped.error());
    if (*skipped) {
      ++report_.files_skipped;
      return ok();
    }
  }
  if (entry.info.type == FileType::Regular) {
    RestorePlace place{dir, entry.name, path};
    return restore_file(std::move(place), std::move(entry));
  }
  if (request_.dry_run) return count_entry(entry, path);
  observer_.on_entry(path);
  const Status made = restore_other(*dir, entry);
  return made ? ok() : problem(path, made.error());
}

// Dry run: it would be written as a whole.
Status RestoreRun::count_entry(const repo::Entry& entry, const std::string& path) {
  const bool is_file = entry.info.type == FileType::Regular;
  is_file ? ++report_.files : ++report_.others;
  if (is_file) report_.bytes_written += entry.info.size;
  observer_.on_entry(path);
  return ok();
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
  if (links_.is_further_name(entry, place)) {
    if (request_.dry_run) ++report_.files;
    observer_.on_entry(place.path);
    return ok();
  }
  const std::string path = place.path;
  if (request_.delta && place.dir) {
    auto existing = open_existing(*place.dir, place.name);
    if (!existing) {
      links_.fail(path);
      return problem(path, existing.error());
    }
    if (existing->file)
      return update_file(std::move(place), std::move(entry), std::move(*existing));
  }
  if (request_.dry_run) return count_entry(entry, path);
  observer_.on_entry(path);
  auto file = OutputFile::create(workspace_.env(), std::move(place), std::move(entry), completion_);
  if (!file) {
    links_.fail(path);
    return problem(path, file.error());
  }
  PV_TRY(schedule(*file, nullptr));
  return complete(*file);
}

Status RestoreRun::update_file(RestorePlace place, repo::Entry entry, ExistingFile existing) {
  const auto file = OutputFile::in_place(std::move(place), std::move(entry), completion_);
  auto update = begin_update(file, std::move(existing));
  if (update) {
    PV_TRY(schedule(file, update->get()));
    const Status finished = file->target_failure() ? ok() : (*update)->finish();
    if (!finished) file->fail_target(finished.error());
    if ((*update)->changed()) observer_.on_entry(file->place().path);
    if (!(*update)->changed()) ++report_.files_unchanged;
  } else {
    file->fail_target(update.error());
  }
  return complete(file);
}

Result<std::unique_ptr<InPlaceUpdate>> RestoreRun::begin_update(
    const std::shared_ptr<OutputFile>& file, ExistingFile existing) {
  if (!target_reading_) target_reading_ = std::make_unique<TargetReading>(workspace_.env());
  const UpdateParts parts{.workspace = workspace_,
                          .queue = *target_reading_->queue,
                          .pool = target_reading_->pool,
                          .verify = request_.verify,
                          .dry_run = request_.dry_run,
                          .report = report_};
  return InPlaceUpdate::create(parts, std::move(existing), file);
}

// Everything of it is wanted that will be: it is finished in its turn.
Status RestoreRun::complete(const std::shared_ptr<OutputFile>& file) {
  file->end_part();
  pending_.push_back({file, nullptr});
  if (pending_.size() < kPendingMax) return settle(kPendingMax);
  PV_TRY(flush_window());
  return settle(kPendingMax / 2);
}

// Wants every extent of the file, of an `update` those that differ; damaged parts of the map become
// problems of their ranges. Errors: what ends the restore; others stay with the file.
Status RestoreRun::schedule(const std::shared_ptr<OutputFile>& file, InPlaceUpdate* update) {
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
      const auto wanted = is_wanted(at, extent, update);
      if (!wanted) {
        file->fail_target(wanted.error());
        return ok();
      }
      if (*wanted) PV_TRY(want(file, at, extent));
      PV_TRY(workspace_.cancel().check());
      at += extent.length;
    }
  }
  return ok();
}

Result<bool> RestoreRun::is_wanted(std::uint64_t offset, const repo::Extent& extent,
                                   InPlaceUpdate* update) {
  if (extent.hole) report_.bytes_holes += extent.length;
  if (update == nullptr) return !extent.hole;  // A new file was made of one hole.
  progress();
  return update->differs(offset, extent);
}

Status RestoreRun::want(const std::shared_ptr<OutputFile>& file, std::uint64_t offset,
                        const repo::Extent& extent) {
  report_.bytes_fetched += extent.length;
  if (request_.dry_run) {
    report_.bytes_written += extent.length;
    return ok();
  }
  window_.want(file, offset, extent);
  return window_.full() ? flush_window() : ok();
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
  if (const auto failure = file.target_failure()) {
    const bool half = file.is_in_place() && file.is_open();
    return half ? failure->with_context("partly written, restore it again") : *failure;
  }
  for (const RestoreProblem& each : file.problems()) {
    ++report_.damaged;
    observer_.on_problem(each);
  }
  if (request_.dry_run) return ok();
  using enum OutputFile::Durability;
  const bool times_count = file.is_in_place() && request_.overwrite == Overwrite::IfChanged;
  PV_TRY(file.close(times_count ? Now : Whenever));
  Dir& dir = *file.place().dir;
  if (file.is_in_place()) {
    report_.metadata_skipped +=
        remove_other_xattrs(dir, file.working_name(), file.entry(), special_bits());
  }
  set_metadata(dir, file.working_name(), file.entry());
  return file.publish();
}

SpecialBits RestoreRun::special_bits() const {
  return request_.allow_special ? SpecialBits::Restore : SpecialBits::Drop;
}

void RestoreRun::set_metadata(Dir& dir, const std::string& name, const repo::Entry& entry) {
  report_.metadata_skipped += restore_metadata(dir, name, entry, special_bits());
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
  progress_.bytes_done = window_.bytes_written() + report_.bytes_equal;
  progress_.files_done = report_.files;
  observer_.on_progress(progress_);
}

}  // namespace

Result<RestoreReport> run_restore(Workspace& workspace, const RestoreRequest& request,
                                  RestoreObserver& observer) {
  return RestoreRun(workspace, request, observer).run();
}

}  // namespace pagevault::engine
