#include "restore_outcome.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace pagevault::engine {

namespace {

constexpr std::int64_t kReportEveryNs = 100'000'000;
constexpr std::size_t kFindingsNamed = 5;  // Of one database; the rest is counted.

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

void RestoreOutcome::unsound(const std::string& path, const std::vector<std::string>& findings) {
  ++report.databases_unsound;
  const std::size_t named = std::min(findings.size(), kFindingsNamed);
  std::string text = fmt::format(
      "restored bytes are those of the snapshot (ids match), but SQLite reports: {}",
      fmt::join(findings.begin(), findings.begin() + static_cast<std::ptrdiff_t>(named), "; "));
  if (named < findings.size()) text += fmt::format("; and {} more", findings.size() - named);
  observer_.on_problem({path, 0, 0, Error(ErrorCode::Corrupt, text)});
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
