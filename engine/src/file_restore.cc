#include "file_restore.h"

#include <algorithm>

#include "pagevault/engine/tree.h"

namespace pagevault::engine {

namespace {

constexpr std::size_t kFilesOpenMax = 256;  // Files open at once.
constexpr std::size_t kTargetBlocks = 8;    // Being compared, read ahead, and one joined.
constexpr unsigned kTargetReads = 8;        // In flight at most.
constexpr std::uint64_t kReserveFrom = 1 * kMiB;

}  // namespace

struct FileRestore::TargetReading {
  explicit TargetReading(Env& env) : queue(env.make_io_queue(kTargetReads)) {
    queue->register_arena(pool.arena());
  }
  BlockPool pool{kTargetBlocks};
  std::unique_ptr<IoQueue> queue;
};

FileRestore::FileRestore(Workspace& workspace, const RestoreRequest& request,
                         RestoreOutcome& outcome, const Options& options)
    : workspace_(workspace),
      request_(request),
      outcome_(outcome),
      options_(options),
      window_(workspace, {.verify = request.verify,
                          .fetch_by = request.delta ? FetchBy::Worker : FetchBy::Caller,
                          .past_cache = options.past_cache}) {}

FileRestore::~FileRestore() = default;

Status FileRestore::restore(RestorePlace place, repo::Entry entry) {
  if (links_.is_further_name(entry, place)) {
    if (request_.dry_run) ++outcome_.report.files;
    outcome_.observer().on_entry(place.path);
    return ok();
  }
  if (place.dir && is_database_image(entry)) {
    // Again before anything of it is changed; here because much may have to be fetched until then.
    const Status unused = check_database_unused(*place.dir, place.name);
    if (!unused) {
      links_.fail(place.path);
      return outcome_.problem(place.path, unused.error());
    }
  }
  return restore_regular(std::move(place), std::move(entry));
}

Status FileRestore::restore_regular(RestorePlace place, repo::Entry entry) {
  if (request_.delta && place.dir) {
    auto existing = open_existing(*place.dir, place.name);
    if (!existing) {
      links_.fail(place.path);
      return outcome_.problem(place.path, existing.error());
    }
    if (existing->file) return update(std::move(place), std::move(entry), std::move(*existing));
  }
  outcome_.observer().on_entry(place.path);
  if (!request_.dry_run) return create(std::move(place), std::move(entry));
  ++outcome_.report.files;
  outcome_.report.bytes_written += entry.info.size;
  return ok();
}

Status FileRestore::create(RestorePlace place, repo::Entry entry) {
  const std::string path = place.path;
  auto file = OutputFile::create(workspace_.env(), std::move(place), std::move(entry), parts());
  if (!file) {
    links_.fail(path);
    return outcome_.problem(path, file.error());
  }
  PV_TRY(schedule(*file, nullptr));
  return complete(*file);
}

Status FileRestore::update(RestorePlace place, repo::Entry entry, ExistingFile existing) {
  const auto file = OutputFile::in_place(std::move(place), std::move(entry), parts());
  auto changes = begin_update(file, std::move(existing));
  if (changes) {
    PV_TRY(schedule(file, changes->get()));
    const Status finished = file->target_failure() ? ok() : (*changes)->finish();
    if (!finished) file->fail_target(finished.error());
    if ((*changes)->changed()) outcome_.observer().on_entry(file->place().path);
    if (!(*changes)->changed()) ++outcome_.report.files_unchanged;
  } else {
    file->fail_target(changes.error());
  }
  return complete(file);
}

Result<std::unique_ptr<InPlaceUpdate>> FileRestore::begin_update(const FilePointer& file,
                                                                 ExistingFile existing) {
  if (!target_reading_) target_reading_ = std::make_unique<TargetReading>(workspace_.env());
  const UpdateParts parts{.workspace = workspace_,
                          .queue = *target_reading_->queue,
                          .pool = target_reading_->pool,
                          .verify = request_.verify,
                          .dry_run = request_.dry_run,
                          .report = outcome_.report};
  return InPlaceUpdate::create(parts, std::move(existing), file);
}

// Everything of it is wanted that will be: it is finished in its turn.
Status FileRestore::complete(const FilePointer& file) {
  file->end_part();
  pending_.push_back({file, nullptr});
  if (pending_.size() < kFilesOpenMax) return settle(kFilesOpenMax);
  PV_TRY(flush_window());
  return settle(kFilesOpenMax / 2);
}

// Space for what a new file gets of a span. Of writes past the cache each would else look for space
// of its own, and those to one file would wait for each other meanwhile.
Status FileRestore::reserve(File& file, std::uint64_t begin, const repo::SpanNode& node) const {
  if (!options_.past_cache || request_.dry_run) return ok();
  ByteRange run{begin, 0};
  for (const repo::Extent& extent : node) {
    if (extent.hole) {
      if (run.length >= kReserveFrom) PV_TRY(file.preallocate(run));
      run = {run.offset + run.length + extent.length, 0};
    } else {
      run.length += extent.length;
    }
  }
  return run.length >= kReserveFrom ? file.preallocate(run) : ok();
}

// Wants every extent of the file, of an `update` those that differ; damaged parts of the map become
// problems of their ranges. Errors: what ends the restore; others stay with the file.
Status FileRestore::schedule(const FilePointer& file, InPlaceUpdate* update) {
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
    if (update == nullptr) {
      const Status reserved = reserve(file->file(), at, *node);
      if (!reserved) {
        file->fail_target(reserved.error());
        return ok();
      }
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

Result<bool> FileRestore::is_wanted(std::uint64_t offset, const repo::Extent& extent,
                                    InPlaceUpdate* update) {
  if (extent.hole) outcome_.report.bytes_holes += extent.length;
  if (update == nullptr) return !extent.hole;  // A new file was made of one hole.
  outcome_.progress(window_.bytes_written(), RestoreOutcome::Moment::WhenDue);
  return update->differs(offset, extent);
}

Status FileRestore::want(const FilePointer& file, std::uint64_t offset,
                         const repo::Extent& extent) {
  outcome_.report.bytes_fetched += extent.length;
  if (request_.dry_run) {
    outcome_.report.bytes_written += extent.length;
    return ok();
  }
  window_.want(file, offset, extent);
  return window_.full() ? flush_window() : ok();
}

Status FileRestore::flush_window() {
  window_.flush();
  outcome_.progress(window_.bytes_written(), RestoreOutcome::Moment::WhenDue);
  return workspace_.cancel().check();
}

// Finishes what is complete, in order; waits only while more than `leave_pending` are left.
Status FileRestore::settle(std::size_t leave_pending) {
  while (!pending_.empty()) {
    const FilePointer file = pending_.front().file;
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

Status FileRestore::finish_file(OutputFile& file) {
  ++outcome_.report.files;
  const std::string& path = file.place().path;
  const Status published = publish(file);
  if (!published || !file.problems().empty()) links_.fail(path);
  if (!published) return outcome_.problem(path, published.error());
  const bool whole = file.problems().empty() && is_database_image(file.entry());
  const bool asked = request_.verify && request_.check_database && !request_.dry_run;
  return whole && asked ? inspect(file) : ok();
}

// The bytes were compared with their ids on the way: what SQLite finds now was there at the backup.
Status FileRestore::inspect(const OutputFile& file) {
  const RestorePlace& place = file.place();
  const auto findings = request_.check_database(place.dir->path() + "/" + place.name);
  if (!findings) {
    return outcome_.problem(place.path, findings.error().with_context("restored, but not checked"));
  }
  ++outcome_.report.databases_checked;
  if (!findings->empty()) outcome_.unsound(place.path, *findings);
  return ok();
}

Status FileRestore::publish(OutputFile& file) {
  if (const auto failure = file.target_failure()) {
    const bool half = file.is_in_place() && file.is_open();
    return half ? failure->with_context("partly written, restore it again") : *failure;
  }
  for (const RestoreProblem& each : file.problems()) outcome_.damaged(each);
  if (request_.dry_run) return ok();
  const bool times_count = file.is_in_place() && request_.overwrite == Overwrite::IfChanged;
  PV_TRY_ASSIGN(const Durability needed, file.durability_needed());
  PV_TRY(
      file.close(times_count || options_.durability == Durability::Now ? Durability::Now : needed));
  Dir& dir = *file.place().dir;
  if (file.is_in_place()) {
    outcome_.report.metadata_skipped +=
        remove_other_xattrs(dir, file.working_name(), file.entry(), special_bits());
  }
  set_metadata(dir, file.working_name(), file.entry());
  return file.publish();
}

SpecialBits FileRestore::special_bits() const {
  return request_.allow_special ? SpecialBits::Restore : SpecialBits::Drop;
}

void FileRestore::set_metadata(Dir& dir, const std::string& name, const repo::Entry& entry) {
  outcome_.report.metadata_skipped += restore_metadata(dir, name, entry, special_bits());
}

Status FileRestore::make_link(const HardLinks::Link& link, const std::shared_ptr<Dir>& target,
                              const std::string& top) {
  if (link.is_database) {
    PV_TRY(check_database_unused(*link.place.dir, link.place.name));
    PV_TRY(leftovers_.remove(link.place.dir, link.place.name));
  }
  return links_.make(link, target, top, request_.overwrite != Overwrite::Never);
}

void FileRestore::make_links(const std::shared_ptr<Dir>& target, const std::string& top) {
  for (const HardLinks::Link& link : links_.links()) {
    const Status made = make_link(link, target, top);
    if (made) ++outcome_.report.files;
    if (!made) {
      outcome_.problem(link.place.path, made.error())
          .ignore("counted and reported; the others go on");
    }
  }
}

Status FileRestore::finish(const std::shared_ptr<Dir>& target, const std::string& top) {
  PV_TRY(flush_window());
  PV_TRY(settle(0));
  if (!request_.dry_run) make_links(target, top);
  outcome_.report.bytes_written += window_.bytes_written();
  outcome_.progress(outcome_.report.bytes_written, RestoreOutcome::Moment::Now);
  return ok();
}

}  // namespace pagevault::engine
