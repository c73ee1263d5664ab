// What is wrong with watched databases, told once for each change of state.

#pragma once

#include <map>
#include <vector>

#include "pagevault/engine/watch.h"

namespace pagevault::engine {

/// Gathers the source errors of one round, then compares them with those of the round before.
class WatchProblems final : public BackupObserver {
 public:
  explicit WatchProblems(WatchObserver& observer) : observer_(observer) {}

  void begin_round() { now_.clear(); }
  /// Tells what is new and what is over.
  void end_round();
  /// Paths with an error in this round.
  const std::map<std::string, ErrorCode>& round() const { return now_; }

  /// Tells at once what is new; what is over needs a whole round.
  void on_source_error(const SourceError& problem) override;
  void on_warning(const std::string& text) override;

 private:
  WatchObserver& observer_;
  // By code, not by text: texts may hold names made up at random.
  std::map<std::string, ErrorCode> before_;
  std::map<std::string, ErrorCode> now_;
  std::vector<std::string> warnings_before_;
  std::vector<std::string> warnings_;
};

}  // namespace pagevault::engine
