#include "chunk_batch.h"

#include "pagevault/base/crc32c.h"
#include "pagevault/chunker/gate.h"
#include "pagevault/chunker/page_chunker.h"

namespace pagevault::engine {

namespace {

// Ids are computed and bases read for a batch at once, however far apart its chunks lie in the
// file.
constexpr std::size_t kBatchBytes = 1 * kMiB;
// A batch keeps the blocks alive that its chunks lie in, and each range that is read begins a block
// of its own, however short. The reader waits for a free block while it fills a batch: if that held
// all of the pool, it would wait for ever. Fewer than four leave the lanes of hashing empty, more
// let the second worker of a short backup wait for its first batch.
constexpr std::size_t kBatchBlocks = 4;

repo::Extent hole_of(std::uint64_t length) {
  repo::Extent extent;
  extent.hole = true;
  extent.length = length;
  return extent;
}

}  // namespace

void ChunkBatch::add(CutChunk chunk) {
  bytes_ += chunk.bytes.size();
  if (chunks_.empty() || chunks_.back().owner != chunk.owner) ++blocks_;
  chunks_.push_back(std::move(chunk));
}

bool ChunkBatch::is_ready() const { return bytes_ >= kBatchBytes || blocks_ >= kBatchBlocks; }

void ChunkBatch::run() {
  const Status done = store();
  for (const CutChunk& chunk : chunks_) {
    if (!done) chunk.map->fail(done.error());
    chunk.span->extent_done();
  }
  chunks_.clear();
}

// True when the chunk needs no storing: it is zero.
bool ChunkBatch::settle_zero(CutChunk& chunk) const {
  if (!is_all_zero(chunk.bytes)) return false;
  *chunk.extent = hole_of(chunk.bytes.size());
  return true;
}

// Those that are what they are expected to be need no storing either.
void ChunkBatch::settle_expected(std::vector<CutChunk*>& chunks) const {
  std::vector<chunker::IdRequest> ids;
  for (const CutChunk* chunk : chunks) {
    if (chunk->expected) ids.push_back({chunk->bytes});
  }
  if (ids.empty()) return;
  keys_->chunk_ids(repo::BlobType::Data, ids);
  std::vector<CutChunk*> others;
  std::size_t next = 0;
  for (CutChunk* const chunk : chunks) {
    if (chunk->expected && ids[next++].id == chunk->expected->chunk) {
      *chunk->extent = *chunk->expected;
    } else {
      others.push_back(chunk);
    }
  }
  chunks = std::move(others);
}

void ChunkBatch::fill(const CutChunk& chunk, const ChunkId& id) const {
  if (chunk.expected) audit_->mismatches.fetch_add(1);
  chunk.extent->chunk = id;
  chunk.extent->length = chunk.bytes.size();
  chunk.extent->gate = chunker::gate_of(keys_->gate(), chunk.bytes);
  chunk.extent->crc32c = crc32c(chunk.bytes);
}

Status ChunkBatch::store() {
  std::vector<repo::PutRequest> requests;
  std::vector<CutChunk*> stored;
  for (CutChunk& chunk : chunks_) {
    if (!settle_zero(chunk)) stored.push_back(&chunk);
  }
  settle_expected(stored);
  requests.reserve(stored.size());
  for (const CutChunk* const chunk : stored) {
    requests.push_back({.type = repo::BlobType::Data,
                        .plain = chunk->bytes,
                        .predecessor = chunk->predecessor,
                        .trial = chunk->trial.get(),
                        .dictionary = chunk->dictionary.get(),
                        .result = {}});
  }
  PV_TRY(session_->put(requests));
  for (std::size_t i = 0; i < stored.size(); ++i) fill(*stored[i], requests[i].result.id);
  return ok();
}

}  // namespace pagevault::engine
