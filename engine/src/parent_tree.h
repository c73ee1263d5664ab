// Entries of an earlier snapshot by path, in any order: archives bring files as they lay on disk.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "pagevault/engine/tree.h"

namespace pagevault::engine {

/// Before an error that keeps an incremental from its parent's bytes.
inline constexpr std::string_view kParentUnreadable =
    "the parent snapshot cannot be read; if that stays so, take a full backup";

/// Reads a directory when something in it is first asked for, and keeps it: some 500 bytes for each
/// entry. Not thread-safe.
class ParentTree {
 public:
  /// No parent: nothing is found.
  ParentTree() = default;
  ParentTree(repo::ChunkReader& reader, repo::Entry root);

  /// Null when there is none, also because a directory cannot be read: what lay there is as good as
  /// new (F5.8). `path` relative to the root, "" is the root itself. Valid as long as the tree.
  /// Errors: Cancelled.
  Result<const repo::Entry*> find(std::string_view path);
  /// Why the first directory that could not be read could not; nothing: all that were asked for
  /// could.
  const std::optional<Error>& failure() const { return failure_; }

 private:
  using Names = std::unordered_map<std::string, repo::Entry>;
  Result<const Names*> names_in(const std::string& directory);

  repo::ChunkReader* reader_ = nullptr;
  repo::Entry root_;
  std::optional<Error> failure_;
  std::unordered_map<std::string, std::unique_ptr<Names>> directories_;  // By path.
};

}  // namespace pagevault::engine
