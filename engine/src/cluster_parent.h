// Which earlier snapshot of a PostgreSQL cluster a base backup builds on. Pure.

#pragma once

#include <optional>

#include "cluster_input.h"
#include "pagevault/engine/backup.h"
#include "pagevault/repo/repository.h"

namespace pagevault::engine {

/// For an incremental: the newest snapshot of the backup that it was taken against, which is one of
/// the same system whose WAL begins exactly there. A wrong one would be silent corruption, so
/// nothing else will do. Errors: WrongParent, with what is needed and what there is.
///
/// For a full one: the newest of the same system, else of the same host and paths; nothing when
/// there is none.
Result<std::optional<repo::StoredSnapshot>> choose_cluster_parent(
    const repo::SnapshotListing& listing, const BackupRequest& request,
    const ClusterPreview& preview);

/// The newest snapshot of the system that an incremental could be taken against; nothing when there
/// is none.
std::optional<repo::StoredSnapshot> newest_of_system(const repo::SnapshotListing& listing,
                                                     std::uint64_t system_identifier);

/// Where the WAL of a snapshot's backup begins.
pgsupport::WalPoint start_of(const repo::PostgresRecord& record);

}  // namespace pagevault::engine
