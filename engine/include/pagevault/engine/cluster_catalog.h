// Which table or index each file of a PostgreSQL snapshot belongs to, by the catalogs in it.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pagevault/engine/workspace.h"
#include "pagevault/pgsupport/catalog.h"
#include "pagevault/repo/snapshot.h"

namespace pagevault::engine {

/// Best effort: catalogs that are damaged or not in the snapshot leave files without names. Not
/// thread-safe.
class ClusterCatalog {
 public:
  /// Null unless `snapshot` is of a cluster whose catalogs are known. Both outlive it. The index
  /// must be as new as the snapshot (Workspace::refresh_index).
  static std::unique_ptr<ClusterCatalog> open(Workspace& workspace, const repo::Snapshot& snapshot);

  /// `path` in the snapshot, with or without leading '/'. Nothing for files that are of no relation
  /// or have no name. The first of each database reads its catalogs. Errors: Cancelled.
  Result<std::optional<pgsupport::RelationName>> name_of(std::string_view path);

  std::uint32_t block_bytes() const { return block_bytes_; }
  /// What could not be read of the repository.
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  ClusterCatalog(pgsupport::Catalog catalog, std::uint32_t block_bytes)
      : catalog_(std::move(catalog)), block_bytes_(block_bytes) {}

  pgsupport::Catalog catalog_;
  std::uint32_t block_bytes_;
  std::vector<std::string> problems_;
};

/// All files of a relation in one snapshot.
struct RelationSize {
  std::optional<pgsupport::RelationName> name;
  std::string path;  ///< Of its first segment of the main fork, or whichever file there is.
  std::uint64_t files = 0;
  std::uint64_t bytes_main = 0;
  std::uint64_t bytes_other = 0;  ///< Free space map, visibility map, init fork.
};

/// Of all relations, largest first. Reads folders and catalogs. Errors: as of walk_tree.
Result<std::vector<RelationSize>> relation_sizes(Workspace& workspace,
                                                 const repo::Snapshot& snapshot,
                                                 ClusterCatalog& catalog);

}  // namespace pagevault::engine
