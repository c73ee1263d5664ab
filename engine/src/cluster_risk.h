// Which relations a server's incremental may have wrong (defects D1 and D2, docs/postgres.md):
// those truncated between the parent and this backup.

#pragma once

#include <set>

#include "pagevault/base/env.h"
#include "pagevault/pgsupport/lsn.h"
#include "pagevault/pgsupport/relation_files.h"
#include "pagevault/pgsupport/wal_summary.h"

namespace pagevault::engine {

struct RiskySummaries {
  std::set<pgsupport::RelationFork> forks;
  bool complete = false;  ///< Those of the interval's timeline cover all of it.
};

/// Reads the WAL summary files in `folder` that lie in `interval` (the parent's start to this
/// one's, on this one's timeline), those of other timelines too. Errors: of the folder; Corrupt.
Result<RiskySummaries> read_summaries(Env& env, const std::string& folder,
                                      const pgsupport::WalRange& interval);

/// The fork that a relation file is a segment of.
pgsupport::RelationFork fork_of(const pgsupport::RelationFile& file);

}  // namespace pagevault::engine
