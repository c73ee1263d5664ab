#include "restore_outcome.h"

namespace pagevault::engine {

namespace {

constexpr std::int64_t kReportEveryNs = 100'000'000;

}  // namespace

Status RestoreOutcome::problem(const std::string& path, const Error& error) {
  if (error.code() == ErrorCode::NoSpace || error.code() == ErrorCode::Cancelled) {
    return error.with_context(path);
  }
  const bool damage = error.code() == ErrorCode::Corrupt || error.code() == ErrorCode::AuthFailed;
  damage ? ++report.damaged : ++report.failed;
  observer_.on_problem({path, 0, 0, error});
  return ok();
}

void RestoreOutcome::damaged(const RestoreProblem& range) {
  ++report.damaged;
  observer_.on_problem(range);
}

void RestoreOutcome::progress(std::uint64_t bytes_written, Moment moment) {
  const std::int64_t now = env_.monotonic_ns();
  if (moment == Moment::WhenDue && now - last_ns_ < kReportEveryNs) return;
  last_ns_ = now;
  progress_.bytes_done = bytes_written + report.bytes_equal;
  progress_.files_done = report.files;
  observer_.on_progress(progress_);
}

}  // namespace pagevault::engine
