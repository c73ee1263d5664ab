// Entries of an earlier snapshot by path, in any order: archives bring files as they lay on disk.

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "pagevault/engine/tree.h"

namespace pagevault::engine {

/// Reads a directory when something in it is first asked for, and keeps it: some 500 bytes for each
/// entry. Not thread-safe.
class ParentTree {
 public:
  /// No parent: nothing is found.
  ParentTree() = default;
  ParentTree(repo::ChunkReader& reader, repo::Entry root);

  /// Null when there is none. `path` relative to the root, "" is the root itself. Valid as long as
  /// the tree. Errors: of the repository.
  Result<const repo::Entry*> find(std::string_view path);
  /// The same where a parent only saves work: one that cannot be read is none (F5.8).
  const repo::Entry* find_if_readable(std::string_view path);

 private:
  using Names = std::unordered_map<std::string, repo::Entry>;
  Result<const Names*> names_in(const std::string& directory);

  repo::ChunkReader* reader_ = nullptr;
  repo::Entry root_;
  std::unordered_map<std::string, std::unique_ptr<Names>> directories_;  // By path.
};

}  // namespace pagevault::engine
