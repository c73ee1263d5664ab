// A running server as the source of a cluster's snapshot: whether an incremental can be had, and
// what of it is fetched whole because the server may send it wrong. docs/postgres.md, "Defects of
// servers".

#pragma once

#include <map>

#include "cluster_files.h"
#include "pagevault/pgsupport/postgres_server.h"

namespace pagevault::engine {

struct ServerPlan {
  std::optional<repo::StoredSnapshot> parent;  ///< Newest of the system.
  std::optional<Bytes> manifest;  ///< The parent's, to be uploaded; nothing: a full backup.
  std::string why_full;           ///< Of a full one, for people.
};

/// Errors: of the server; of the repository.
Result<ServerPlan> plan_server_backup(Workspace& workspace, const repo::SnapshotListing& listing,
                                      const BackupRequest& request, bool may_be_incremental);

/// A base backup under way. Of the backup's thread.
class ServerBackup {
 public:
  static Result<ServerBackup> begin(Workspace& workspace, const PostgresOptions& options,
                                    const ServerPlan& plan);

  /// Its files; once. Used before this is destroyed.
  Result<std::unique_ptr<ClusterInput>> input();

  /// Fetches the relations whole that were truncated in `interval`, while the server waits for us
  /// to read its archives: any copy made between the backup's start and its end is as good as the
  /// one in the backup, since replay mends both. Errors: a full backup is needed (summaries
  /// missing, rights).
  Status refetch_at_risk(ClusterFiles& files, const pgsupport::WalRange& interval);
  /// True when all that was fetched was read before the backup ended at `end`.
  bool refetched_before(const pgsupport::WalPoint& end) const;
  /// What was fetched of the relation file at `path`; once.
  std::optional<ClusterFiles::Stored> take_refetched(const std::string& path);
  std::uint64_t files_refetched() const { return fetched_; }

 private:
  ServerBackup(Workspace& workspace, pgsupport::PostgresServer& server,
               std::unique_ptr<pgsupport::BaseBackup> backup)
      : workspace_(&workspace), server_(&server), backup_(std::move(backup)) {}
  Status fetch(ClusterFiles& files, const std::string& path);

  Workspace* workspace_;
  pgsupport::PostgresServer* server_;
  std::unique_ptr<pgsupport::BaseBackup> backup_;
  std::optional<pgsupport::WalPoint> since_;  // The parent's start; nothing for a full backup.
  std::map<std::string, ClusterFiles::Stored> refetched_;  // By path.
  std::uint64_t fetched_ = 0;
  std::optional<pgsupport::Lsn> fetched_at_;  // The server's position after the last of them.
};

}  // namespace pagevault::engine
