// What a restore has done so far, and how it is told.

#pragma once

#include <string>
#include <vector>

#include "pagevault/engine/restore.h"

namespace pagevault::engine {

/// Of the restoring thread.
class RestoreOutcome {
 public:
  RestoreOutcome(Env& env, RestoreObserver& observer) : env_(env), observer_(observer) {}

  RestoreReport report;
  RestoreObserver& observer() { return observer_; }
  void set_bytes_total(std::uint64_t bytes) { progress_.bytes_total = bytes; }

  /// One entry failed: reported, counted by whose fault it is, and the rest goes on. A full disk
  /// and a request to stop end it: then the error.
  Status problem(const std::string& path, const Error& error);
  /// A range of a file cannot be restored.
  void damaged(const RestoreProblem& range);
  enum class Moment : std::uint8_t { Now, WhenDue };
  /// A database is as it was backed up, and SQLite finds it damaged. At least one finding.
  void unsound(const std::string& path, const std::vector<std::string>& findings);
  /// `bytes_written`: by the workers so far.
  void progress(std::uint64_t bytes_written, Moment moment);

 private:
  Env& env_;
  RestoreObserver& observer_;
  RestoreProgress progress_;
  std::int64_t last_ns_ = 0;
};

}  // namespace pagevault::engine
