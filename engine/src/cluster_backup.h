// Takes a snapshot of a PostgreSQL cluster from a base backup. docs/architecture.md, "PostgreSQL".

#pragma once

#include "pagevault/engine/backup.h"

namespace pagevault::engine {

/// run_backup for requests with `postgres`.
Result<BackupReport> run_cluster_backup(Workspace& workspace, const BackupRequest& request,
                                        BackupObserver& observer);

/// The server's own manifest of a snapshot of a cluster, as a file in its root that is no part of
/// the data directory: what the next incremental is asked for with.
inline constexpr std::string_view kOriginalManifestFile = "backup_manifest.original";

}  // namespace pagevault::engine
