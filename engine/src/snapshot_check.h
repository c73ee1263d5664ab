// Walks a snapshot's tree and maps and looks every chunk up: what would a restore miss?

#pragma once

#include <functional>
#include <unordered_set>

#include "damage_map.h"
#include "pagevault/engine/check.h"
#include "pagevault/engine/tree.h"

namespace pagevault::engine {

/// Remembers nodes and folders found whole, so that snapshots that share them cost little. Its
/// memory is 40 bytes for each distinct span node (64 MiB of file) and folder.
class SnapshotCheck {
 public:
  using Report = std::function<void(CheckFinding)>;
  SnapshotCheck(Workspace& workspace, const DamageMap& damage, Report report)
      : workspace_(workspace), damage_(damage), report_(std::move(report)) {}

  /// Errors: of the index or Cancelled; damage goes to the report.
  Status run(const repo::StoredSnapshot& stored);

 private:
  struct Level;
  Status check_entry(const std::string& path, const repo::Entry& entry);
  Status check_map(const std::string& path, const repo::Entry& entry);
  Status check_node(const std::string& path, std::uint64_t offset, const repo::SpanNode& node);
  void found(const std::string& path, std::uint64_t offset, std::uint64_t length,
             std::string problem);
  static ChunkId key_of(const repo::Entry& directory);

  Workspace& workspace_;
  const DamageMap& damage_;
  const Report report_;
  std::string snapshot_;
  std::uint64_t findings_ = 0;
  std::unordered_set<ChunkId> whole_;  // Ids of nodes, and hashes of folders' maps.
};

}  // namespace pagevault::engine
