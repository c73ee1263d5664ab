// What the databases of a snapshot come to, for lists of snapshots.

#pragma once

#include <cstdint>
#include <optional>

#include "pagevault/engine/workspace.h"
#include "pagevault/repo/snapshot.h"

namespace pagevault::cli {

struct DatabaseTotals {
  std::uint64_t databases = 0;
  std::uint64_t pages = 0;
  /// Against the parent; nothing when that is not known of every database.
  std::optional<std::uint64_t> pages_changed = 0;
};

/// Reads the folders of the snapshot, no file. Errors: those of walk_tree.
Result<DatabaseTotals> database_totals(engine::Workspace& workspace,
                                       const repo::Snapshot& snapshot);

}  // namespace pagevault::cli
