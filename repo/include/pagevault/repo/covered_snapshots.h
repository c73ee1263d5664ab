// Which snapshots need no proof: those all of whose chunks the local index is known to hold.
//
// A snapshot becomes covered when this client commits it: each of its references was then looked
// up, or comes from a covered parent. It stays covered as long as the index only grows. An index
// that was begun anew (broken, or index objects vanished from the store) covers nothing until the
// next commit, so a backup after such a loss looks every reference up and stores again what is gone
// (I6, F5.4, F5.8). Without this list each backup would look up every chunk of unchanged files:
// 32 million for 2 TB.

#pragma once

#include <string>
#include <vector>

#include "pagevault/base/digest.h"
#include "pagevault/base/env.h"

namespace pagevault::repo {

/// Lives in the cache folder of the index it speaks of; losing it costs time only. Not thread-safe.
class CoveredSnapshots {
 public:
  /// `folder` empty (index in memory): nothing is covered and nothing remembered. `env` outlives
  /// it.
  static CoveredSnapshots load(Env& env, std::string folder);

  bool contains(const SnapshotId& id) const;
  /// After the index was flushed. Keeps the newest 256. Best effort.
  void add(const SnapshotId& id);
  void forget_all();

 private:
  CoveredSnapshots(Env& env, std::string folder) : env_(&env), folder_(std::move(folder)) {}
  Status write() const;

  Env* env_;
  std::string folder_;
  std::vector<SnapshotId> ids_;  // Oldest first.
};

}  // namespace pagevault::repo
