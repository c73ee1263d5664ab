// Chunks that were cut and are on their way to the store: a group of neighbours, so that their ids
// are computed side by side and what they are deltas of is read in one go.

#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "block_pool.h"
#include "map_builder.h"
#include "pagevault/repo/key_set.h"

namespace pagevault::engine {

/// What changed although gate or metadata said otherwise; counted by workers.
struct AuditFindings {
  std::atomic<std::uint64_t> mismatches{0};
};

/// One chunk. It owns its bytes and its place in the map.
struct CutChunk {
  std::shared_ptr<Block> owner;  ///< Of `bytes`; shared with the reader and other chunks.
  ByteView bytes;
  std::shared_ptr<MapBuilder> map;
  std::shared_ptr<MapBuilder::Span> span;
  repo::Extent* extent = nullptr;  ///< To be filled in.
  repo::Predecessor predecessor;
  std::optional<repo::Extent> expected;                ///< The parent's, to be compared by id.
  std::shared_ptr<repo::DeltaTrial> trial;             ///< Of the file.
  std::shared_ptr<repo::SourceDictionary> dictionary;  ///< Of the file; null: none.
};

/// Filled by the reading thread, run by a worker. Copyable, as tasks must be; run once.
class ChunkBatch {
 public:
  ChunkBatch(repo::WriteSession& session, const repo::KeySet& keys, AuditFindings& audit)
      : session_(&session), keys_(&keys), audit_(&audit) {}

  void add(CutChunk chunk);
  bool empty() const { return chunks_.empty(); }
  /// No use in waiting for more: it holds enough.
  bool is_ready() const;

  /// Stores what is new and fills in every extent; errors go to the maps.
  void run();

 private:
  Status store();
  bool settle_zero(CutChunk& chunk) const;
  void settle_expected(std::vector<CutChunk*>& chunks) const;
  void fill(const CutChunk& chunk, const ChunkId& id) const;

  repo::WriteSession* session_;
  const repo::KeySet* keys_;
  AuditFindings* audit_;
  std::vector<CutChunk> chunks_;
  std::size_t bytes_ = 0;
  std::size_t blocks_ = 0;  // That its chunks keep alive.
};

}  // namespace pagevault::engine
