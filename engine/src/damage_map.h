// Which stored chunks are known to be unusable, while a check goes on.

#pragma once

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "pagevault/repo/chunk_index.h"

namespace pagevault::engine {

/// Not thread-safe.
class DamageMap {
 public:
  void add_pack(const PackId& pack) { packs_.insert(pack); }
  void add_blob(const PackId& pack, const ChunkId& chunk) { blobs_[chunk].push_back(pack); }

  /// Why the chunk cannot be used; empty when at least one of its places is good, and what it is a
  /// delta of is good there.
  Result<std::string> problem_of(repo::ChunkIndex& index, const ChunkId& chunk) const;

 private:
  Result<std::string> problem_of(repo::ChunkIndex& index, const ChunkId& chunk,
                                 unsigned depth) const;
  Result<std::string> problem_at(repo::ChunkIndex& index, const repo::BlobLocation& place,
                                 unsigned depth) const;
  bool is_bad(const repo::BlobLocation& place) const;

  std::unordered_set<PackId> packs_;                        // Missing or unreadable as a whole.
  std::unordered_map<ChunkId, std::vector<PackId>> blobs_;  // Damaged in these packs.
};

}  // namespace pagevault::engine
