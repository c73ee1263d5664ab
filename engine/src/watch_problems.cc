#include "watch_problems.h"

#include <algorithm>

namespace pagevault::engine {

void WatchProblems::on_source_error(const SourceError& problem) {
  const ErrorCode code = problem.error.code();
  now_[problem.path] = code;
  const auto known = before_.find(problem.path);
  if (known == before_.end() || known->second != code) observer_.on_database_problem(problem);
  before_[problem.path] = code;
}

void WatchProblems::on_warning(const std::string& text) {
  const bool known = std::ranges::find(warnings_before_, text) != warnings_before_.end();
  if (!known) observer_.on_warning(text);
  warnings_.push_back(text);
}

void WatchProblems::end_round() {
  for (const auto& [path, code] : before_) {
    if (!now_.contains(path)) observer_.on_database_back(path);
  }
  before_ = now_;
  warnings_before_ = std::exchange(warnings_, {});
}

}  // namespace pagevault::engine
