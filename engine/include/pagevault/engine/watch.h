// Takes snapshots of SQLite databases whenever they changed, for as long as it is let.
// docs/architecture.md, "Watch".

#pragma once

#include <functional>
#include <string>
#include <vector>

#include "pagevault/engine/backup.h"

namespace pagevault::engine {

inline constexpr std::int64_t kWatchIntervalMinNs = 1'000'000'000;
inline constexpr std::int64_t kWatchRetryMaxNs = 300'000'000'000;

struct WatchRequest {
  /// Between the beginnings of two looks, and so of two snapshots, at least; nanoseconds. A
  /// snapshot that takes longer leaves looks out, it does not delay them.
  std::int64_t every_ns = 10'000'000'000;
  /// Absolute paths of the databases there are now.
  std::function<Result<std::vector<std::string>>()> databases;
  /// Takes a snapshot of them. What it opens it closes before it returns: between snapshots nothing
  /// is held.
  std::function<Result<BackupReport>(const std::vector<std::string>&, BackupObserver&)> backup;
};

struct WatchedSnapshot {
  const BackupReport& report;
  std::int64_t begun_ns = 0;  ///< Wall clock.
  std::int64_t duration_ns = 0;
};

/// Called from the thread that watches. Each state is told once, when it begins.
class WatchObserver {
 public:
  virtual ~WatchObserver() = default;
  virtual void on_snapshot(const WatchedSnapshot& snapshot) = 0;
  /// No snapshot can be taken, for want of the repository or of a list of databases; tries go on.
  virtual void on_outage(const Error&) {}
  virtual void on_outage_over() {}
  /// One database cannot be saved; the others are, and it is tried again.
  virtual void on_database_problem(const SourceError&) {}
  virtual void on_database_back(const std::string& /*path*/) {}
  virtual void on_warning(const std::string&) {}
};

/// Looks at once, then every interval, and has a snapshot taken when a database changed since the
/// last one began; after a failure sooner or later than that, at growing, random intervals up to
/// kWatchRetryMaxNs. A look that finds no change opens neither transaction nor repository.
///
/// Ends with Cancelled; and, as long as no snapshot succeeded, with errors of `backup` that waiting
/// does not heal (WrongKey, Unsupported, InvalidArgument, Corrupt, AuthFailed).
Status run_watch(Env& env, const WatchRequest& request, WatchObserver& observer,
                 const CancelToken& cancel);

}  // namespace pagevault::engine
