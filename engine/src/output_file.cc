#include "output_file.h"

#include <algorithm>
#include <array>

namespace pagevault::engine {

namespace {

constexpr std::uint32_t kPrivateMode = 0600;

}  // namespace

OutputFile::OutputFile(RestorePlace place, repo::Entry entry, const Parts& parts)
    : place_(std::move(place)),
      entry_(std::move(entry)),
      completion_(&parts.completion),
      leftovers_(&parts.leftovers) {}

Result<std::shared_ptr<OutputFile>> OutputFile::create(Env& env, RestorePlace place,
                                                       repo::Entry entry, const Parts& parts) {
  std::shared_ptr<OutputFile> out(new OutputFile(std::move(place), std::move(entry), parts));
  std::array<std::byte, 8> random{};
  env.random(random);
  const std::string temporary = ".pv-restore-" + to_hex(random);
  PV_TRY_ASSIGN(out->file_, out->place_.dir->open_file(temporary, OpenMode::CreateExclusive));
  out->temporary_ = temporary;
  if (out->entry_.info.size > 0) PV_TRY(out->file_->truncate(out->entry_.info.size));
  return out;
}

std::shared_ptr<OutputFile> OutputFile::in_place(RestorePlace place, repo::Entry entry,
                                                 const Parts& parts) {
  return std::shared_ptr<OutputFile>(new OutputFile(std::move(place), std::move(entry), parts));
}

OutputFile::~OutputFile() {
  if (keep_ || temporary_.empty()) return;
  place_.dir->remove_file(temporary_).ignore("an abandoned restore; the name says what it is");
}

Status OutputFile::begin_writing(const FileInfo& there) {
  if (is_database_image(entry_)) PV_TRY(check_database_unused(*place_.dir, place_.name));
  // As a new file would be: nobody else shall open what is half old and half new, and its owner can
  // write it even if it was read-only.
  place_.dir
      ->set_metadata(place_.name, {.mode = kPrivateMode, .uid = {}, .gid = {}, .mtime_ns = {}})
      .ignore("not ours: opening it tells whether we may write");
  PV_TRY_ASSIGN(auto file, place_.dir->open_file(place_.name, OpenMode::ReadWrite));
  PV_TRY_ASSIGN(const FileInfo now, file->info());
  if (now.device != there.device || now.inode != there.inode || now.links != 1) {
    return Error(ErrorCode::Io, file->path() + ": replaced by another file meanwhile");
  }
  if (is_database_image(entry_)) PV_TRY(leftovers_->remove(place_.dir, place_.name));
  file_ = std::move(file);
  return now.size == entry_.info.size ? ok() : file_->truncate(entry_.info.size);
}

void OutputFile::end_part() {
  // The completion outlives this object, which may die as soon as the count is zero.
  Completion* const completion = completion_;
  if (open_.fetch_sub(1, std::memory_order_acq_rel) == 1) completion->notify();
}

void OutputFile::add_problem(std::uint64_t offset, std::uint64_t length, const Error& error) {
  const std::lock_guard lock(mutex_);
  problems_.push_back({place_.path, offset, length, error});
}

void OutputFile::fail_target(const Error& error) {
  const std::lock_guard lock(mutex_);
  if (!target_failure_) target_failure_ = error;
}

std::vector<RestoreProblem> OutputFile::problems() {
  const std::lock_guard lock(mutex_);
  std::sort(problems_.begin(), problems_.end(),
            [](const auto& a, const auto& b) { return a.offset < b.offset; });
  return problems_;
}

std::optional<Error> OutputFile::target_failure() {
  const std::lock_guard lock(mutex_);
  return target_failure_;
}

Status OutputFile::close(Durability durability) {
  if (!file_) return ok();
  if (durability == Durability::Now) PV_TRY(file_->sync());
  return file_->close();
}

std::string OutputFile::final_name() {
  return problems().empty() ? place_.name : place_.name + ".pv-damaged";
}

Result<OutputFile::Durability> OutputFile::durability_needed() {
  if (!is_database_image(entry_)) return Durability::Whenever;
  PV_TRY_ASSIGN(const bool beside, has_leftovers(*place_.dir, final_name()));
  return beside ? Durability::Now : Durability::Whenever;
}

Status OutputFile::publish() {
  const std::string name = final_name();
  bool beside = false;
  if (is_database_image(entry_)) {
    PV_TRY(check_database_unused(*place_.dir, name));
    PV_TRY_ASSIGN(beside, has_leftovers(*place_.dir, name));
  }
  // Until the new content is there for good, what is removed might be all there is of the old.
  if (beside && !is_in_place()) PV_TRY(place_.dir->sync());
  keep_ = beside;
  const Status named = take_name(name);
  if (!named && keep_ && !is_in_place()) {
    return named.error().with_context("complete, and kept as " + working_name());
  }
  PV_TRY(named);
  keep_ = true;
  return beside ? place_.dir->sync() : ok();
}

Status OutputFile::take_name(const std::string& name) {
  if (is_database_image(entry_)) PV_TRY(leftovers_->remove(place_.dir, name));
  return name == working_name() ? ok() : place_.dir->rename_replace(working_name(), name);
}

}  // namespace pagevault::engine
