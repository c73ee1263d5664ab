// Which tables and indexes of a PostgreSQL cluster changed between two snapshots of it.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pagevault/engine/cluster_catalog.h"
#include "pagevault/engine/tree.h"

namespace pagevault::engine {

/// A relation, by name where it has one: one that was written anew to another file is the same.
/// Of the files that differ, which need not be all of its files.
struct RelationDifference {
  std::optional<pgsupport::RelationName> name;
  std::string path;  ///< Of one of its files.
  std::uint64_t files = 0;
  /// Where the page of this number was not there before or held other bytes. Of the main fork.
  std::uint64_t pages_changed = 0;
  std::uint64_t pages_changed_other = 0;  ///< Of the other forks.
  std::uint64_t bytes_before = 0;
  std::uint64_t bytes_after = 0;
};

/// What is said of one file.
struct RelationFileDifference {
  std::optional<pgsupport::RelationName> name;
  std::uint64_t pages_before = 0;
  std::uint64_t pages_after = 0;
  std::uint64_t pages_changed = 0;
};

/// Takes what diff_snapshots visits, file by file. Not thread-safe.
class RelationDiff {
 public:
  /// Null unless both are snapshots of clusters with pages of the same length. All outlive it; the
  /// index must be as new as both.
  static std::unique_ptr<RelationDiff> open(Workspace& workspace, const repo::Snapshot& before,
                                            const repo::Snapshot& after);
  ~RelationDiff();

  /// Nothing when the difference is not one of a relation file's content. Names are those of the
  /// catalogs after, where these have none those before. Reads the chunks that differ. Errors: the
  /// repository's; Cancelled.
  Result<std::optional<RelationFileDifference>> add(const Difference& difference);

  /// Most changed pages first. Once.
  std::vector<RelationDifference> take();
  /// What kept catalogs from being read.
  std::vector<std::string> problems() const;

 private:
  struct State;
  explicit RelationDiff(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace pagevault::engine
