#include "output_file.h"

#include <algorithm>
#include <array>

namespace pagevault::engine {

OutputFile::OutputFile(RestorePlace place, repo::Entry entry, Completion& completion)
    : place_(std::move(place)), entry_(std::move(entry)), completion_(&completion) {}

Result<std::shared_ptr<OutputFile>> OutputFile::create(Env& env, RestorePlace place,
                                                       repo::Entry entry, Completion& completion) {
  std::shared_ptr<OutputFile> out(new OutputFile(std::move(place), std::move(entry), completion));
  std::array<std::byte, 8> random{};
  env.random(random);
  const std::string temporary = ".pv-restore-" + to_hex(random);
  PV_TRY_ASSIGN(out->file_, out->place_.dir->open_file(temporary, OpenMode::CreateExclusive));
  out->temporary_ = temporary;
  if (out->entry_.info.size > 0) PV_TRY(out->file_->truncate(out->entry_.info.size));
  return out;
}

OutputFile::~OutputFile() {
  if (published_ || temporary_.empty()) return;
  place_.dir->remove_file(temporary_).ignore("an abandoned restore; the name says what it is");
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

Status OutputFile::publish() {
  PV_TRY(file_->close());
  const std::string name = problems().empty() ? place_.name : place_.name + ".pv-damaged";
  PV_TRY(place_.dir->rename_replace(temporary_, name));
  published_ = true;
  return ok();
}

}  // namespace pagevault::engine
