#include "parent_choice.h"

namespace pagevault::engine {

repo::SnapshotKind kind_of(const BackupRequest& request) {
  if (request.databases) return repo::SnapshotKind::Sqlite;
  if (request.postgres) return repo::SnapshotKind::Postgres;
  return request.stream ? repo::SnapshotKind::Stream : repo::SnapshotKind::Files;
}

std::vector<std::string> recorded_paths(const BackupRequest& request) {
  if (request.stream) return {"/" + request.stream_name};
  return request.recorded_paths.empty() ? request.paths : request.recorded_paths;
}

Result<std::optional<repo::StoredSnapshot>> choose_parent(const repo::SnapshotListing& listing,
                                                          const BackupRequest& request) {
  const auto paths = recorded_paths(request);
  for (auto it = listing.snapshots.rbegin(); it != listing.snapshots.rend(); ++it) {
    const repo::Snapshot& snapshot = it->snapshot;
    const bool fits = request.parent
                          ? it->id == *request.parent
                          : snapshot.host == request.host && snapshot.kind == kind_of(request) &&
                                snapshot.paths == paths;
    if (fits) return std::optional(*it);
  }
  if (request.parent) {
    return Error(ErrorCode::NotFound, "parent snapshot " + request.parent->hex(8) + " is not here");
  }
  return std::optional<repo::StoredSnapshot>();
}

}  // namespace pagevault::engine
