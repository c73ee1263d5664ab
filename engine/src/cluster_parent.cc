#include "cluster_parent.h"

#include <fmt/format.h>

#include <algorithm>

#include "parent_choice.h"

namespace pagevault::engine {

namespace {

using repo::StoredSnapshot;

std::string text_of(const pgsupport::WalPoint& point) {
  return fmt::format("{} on timeline {}", pgsupport::to_text(point.lsn), point.timeline.value);
}

bool is_of_system(const StoredSnapshot& stored, std::optional<std::uint64_t> system) {
  const auto& record = stored.snapshot.postgres;
  return record && (!system || record->system_identifier == *system);
}

// What there is instead of the parent that is needed.
std::string what_there_is(const repo::SnapshotListing& listing,
                          std::optional<std::uint64_t> system) {
  std::string out;
  for (auto it = listing.snapshots.rbegin(); it != listing.snapshots.rend(); ++it) {
    if (!is_of_system(*it, system)) continue;
    out = fmt::format("; the newest snapshot{} is {}, of the backup that begins at {}",
                      system ? " of this cluster" : " of a cluster", it->id.hex(8),
                      text_of(start_of(*it->snapshot.postgres)));
    break;
  }
  return out.empty() ? "; the repository has no snapshot of this cluster" : out;
}

Error no_parent(const repo::SnapshotListing& listing, const ClusterPreview& preview) {
  return {ErrorCode::WrongParent,
          fmt::format("this is an incremental backup against the one that begins at {}, and no "
                      "snapshot of that one is here{}",
                      text_of(*preview.incremental_from),
                      what_there_is(listing, preview.system_identifier))};
}

Result<StoredSnapshot> parent_of_incremental(const repo::SnapshotListing& listing,
                                             const BackupRequest& request,
                                             const ClusterPreview& preview) {
  std::optional<StoredSnapshot> found;
  for (const StoredSnapshot& stored : listing.snapshots) {
    if (request.parent && stored.id != *request.parent) continue;
    if (!is_of_system(stored, preview.system_identifier)) continue;
    if (start_of(*stored.snapshot.postgres) != *preview.incremental_from) continue;
    const auto system = stored.snapshot.postgres->system_identifier;
    if (found && found->snapshot.postgres->system_identifier != system) {
      return Error(
          ErrorCode::WrongParent,
          fmt::format("snapshots {} and {} are of different clusters, and both begin at "
                      "{}; name the right one with --parent",
                      found->id.hex(8), stored.id.hex(8), text_of(*preview.incremental_from)));
    }
    found = stored;
  }
  if (found) return *found;
  if (request.parent) {
    return Error(ErrorCode::WrongParent,
                 fmt::format("snapshot {} is not of the backup that this one is incremental "
                             "against, which begins at {}",
                             request.parent->hex(8), text_of(*preview.incremental_from)));
  }
  return no_parent(listing, preview);
}

}  // namespace

pgsupport::WalPoint start_of(const repo::PostgresRecord& record) {
  return {.timeline = {record.timeline}, .lsn = {record.start_lsn}};
}

std::optional<StoredSnapshot> newest_of_system(const repo::SnapshotListing& listing,
                                               std::uint64_t system_identifier) {
  for (auto it = listing.snapshots.rbegin(); it != listing.snapshots.rend(); ++it) {
    if (is_of_system(*it, system_identifier)) return *it;
  }
  return std::nullopt;
}

Result<std::optional<StoredSnapshot>> choose_cluster_parent(const repo::SnapshotListing& listing,
                                                            const BackupRequest& request,
                                                            const ClusterPreview& preview) {
  if (preview.incremental_from) {
    PV_TRY_ASSIGN(auto parent, parent_of_incremental(listing, request, preview));
    return std::optional(std::move(parent));
  }
  if (!request.parent && preview.system_identifier) {
    if (auto parent = newest_of_system(listing, *preview.system_identifier)) {
      return std::optional(std::move(*parent));
    }
  }
  return choose_parent(listing, request);
}

}  // namespace pagevault::engine
