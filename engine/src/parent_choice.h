// Which earlier snapshot a backup compares itself with.

#pragma once

#include <optional>

#include "pagevault/engine/backup.h"

namespace pagevault::engine {

repo::SnapshotKind kind_of(const BackupRequest& request);
/// The paths recorded in the snapshot.
std::vector<std::string> recorded_paths(const BackupRequest& request);

/// The newest snapshot of the same host, kind and paths; or the one asked for. Errors: NotFound
/// when that one is not there.
Result<std::optional<repo::StoredSnapshot>> choose_parent(const repo::SnapshotListing& listing,
                                                          const BackupRequest& request);

}  // namespace pagevault::engine
