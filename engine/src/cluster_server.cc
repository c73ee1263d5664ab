#include "cluster_server.h"

#include <fmt/format.h>

#include "cluster_archives.h"
#include "cluster_backup.h"
#include "cluster_parent.h"
#include "pagevault/engine/restore.h"

namespace pagevault::engine {

namespace {

using pgsupport::WalRange;

std::vector<WalRange> wal_ranges_of(const repo::PostgresRecord& record) {
  std::vector<WalRange> out;
  for (const auto& range : record.wal_ranges) {
    out.push_back({.timeline = {range.timeline}, .start = {range.start}, .end = {range.end}});
  }
  return out;
}

Result<std::optional<Bytes>> manifest_of(Workspace& workspace, const SnapshotId& snapshot) {
  Bytes out;
  const Status read =
      dump_file(workspace, snapshot, std::string(kOriginalManifestFile), [&out](ByteView bytes) {
        append(out, bytes);
        return ok();
      });
  if (!read && read.error().code() == ErrorCode::NotFound) return std::optional<Bytes>();
  PV_TRY(read);
  return std::optional(std::move(out));
}

// Nothing when an incremental since `parent` can be had.
Result<std::optional<std::string>> why_not(pgsupport::PostgresServer& server,
                                           const std::optional<repo::StoredSnapshot>& parent) {
  if (!parent) return std::optional<std::string>("it is the first backup of this cluster here");
  const repo::PostgresRecord& record = *parent->snapshot.postgres;
  const pgsupport::ServerFacts& facts = server.facts();
  if (record.data_checksums != facts.data_checksums) {
    return std::optional<std::string>("page checksums were switched since the last backup");
  }
  if (record.wal_ranges.empty()) {
    return std::optional<std::string>("the last snapshot has no manifest");
  }
  return server.why_not_incremental(wal_ranges_of(record));
}

}  // namespace

Result<ServerPlan> plan_server_backup(Workspace& workspace, const repo::SnapshotListing& listing,
                                      const BackupRequest& request, bool may_be_incremental) {
  pgsupport::PostgresServer& server = *request.postgres->server;
  ServerPlan plan;
  plan.parent = newest_of_system(listing, server.facts().system_identifier);
  if (request.parent) {
    ClusterPreview preview;
    preview.system_identifier = server.facts().system_identifier;
    PV_TRY_ASSIGN(plan.parent, choose_cluster_parent(listing, request, preview));
  }
  if (!may_be_incremental) return plan;
  PV_TRY_ASSIGN(const auto obstacle, why_not(server, plan.parent));
  if (obstacle) {
    plan.why_full = *obstacle;
    return plan;
  }
  PV_TRY_ASSIGN(plan.manifest, manifest_of(workspace, plan.parent->id));
  if (!plan.manifest) plan.why_full = "the last snapshot has no manifest";
  return plan;
}

Result<ServerBackup> ServerBackup::begin(Workspace& workspace, const PostgresOptions& options,
                                         const ServerPlan& plan) {
  PV_TRY_ASSIGN(auto backup, options.server->begin({.label = options.label,
                                                    .fast_checkpoint = options.fast_checkpoint,
                                                    .include_wal = true,
                                                    .checksums_verified = true,
                                                    .max_rate_kb = options.max_rate_kb,
                                                    .compression = options.server_compression,
                                                    .compression_detail = {},
                                                    .incremental_since = plan.manifest}));
  ServerBackup out(workspace, *options.server, std::move(backup));
  // The server names the earliest WAL of the manifest as what the incremental is from.
  if (plan.manifest) out.since_ = start_of(*plan.parent->snapshot.postgres);
  return out;
}

Result<std::unique_ptr<ClusterInput>> ServerBackup::input() {
  const pgsupport::ServerFacts& facts = server_->facts();
  ClusterPreview preview;
  preview.start = backup_->start();
  preview.incremental_from = since_;
  preview.system_identifier = facts.system_identifier;
  preview.geometry = facts.geometry;
  preview.bytes_total = since_ ? 0 : backup_->bytes_estimated();
  for (const auto& tablespace : backup_->tablespaces()) {
    preview.tablespaces[tablespace.oid] = tablespace.in_place() ? "" : tablespace.path;
  }
  return read_archives(archives_of(*backup_), std::move(preview));
}

Status ServerBackup::refetch_at_risk(ClusterFiles& files, const WalRange& interval) {
  PV_TRY_ASSIGN(const auto forks, server_->forks_at_risk(interval));
  for (const pgsupport::RelationFork& fork : forks) {
    PV_TRY_ASSIGN(const auto paths, server_->segment_paths(fork));
    for (const std::string& path : paths) {
      PV_TRY(workspace_->cancel().check());
      PV_TRY(fetch(files, path).context("fetching " + path + ", which was truncated"));
    }
  }
  if (fetched_ > 0) {
    PV_TRY_ASSIGN(fetched_at_, server_->current_lsn());
  }
  return ok();
}

Status ServerBackup::fetch(ClusterFiles& files, const std::string& path) {
  std::uint64_t offset = 0;
  auto stored = files.store_relation(path, [&](MutableBytes out) -> Result<std::size_t> {
    PV_TRY_ASSIGN(const std::size_t got, server_->read_file(path, offset, out));
    offset += got;
    return got;
  });
  if (!stored && stored.error().code() == ErrorCode::NotFound) return ok();  // Dropped meanwhile.
  PV_TRY(stored);
  refetched_.emplace(path, std::move(*stored));
  ++fetched_;
  return ok();
}

bool ServerBackup::refetched_before(const pgsupport::WalPoint& end) const {
  return !fetched_at_ || *fetched_at_ <= end.lsn;
}

std::optional<ClusterFiles::Stored> ServerBackup::take_refetched(const std::string& path) {
  const auto found = refetched_.find(path);
  if (found == refetched_.end()) return std::nullopt;
  auto out = std::move(found->second);
  refetched_.erase(found);
  return out;
}

}  // namespace pagevault::engine
