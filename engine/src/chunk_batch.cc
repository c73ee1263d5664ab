#include "chunk_batch.h"

#include "pagevault/base/crc32c.h"
#include "pagevault/chunker/gate.h"
#include "pagevault/chunker/page_chunker.h"

namespace pagevault::engine {

namespace {

// A batch keeps the blocks alive that its chunks lie in; both bounds keep it to a few of them.
constexpr std::size_t kBatchBytes = 1 * kMiB;
constexpr std::uint64_t kBatchDistance = 4 * kMiB;

repo::Extent hole_of(std::uint64_t length) {
  repo::Extent extent;
  extent.hole = true;
  extent.length = length;
  return extent;
}

}  // namespace

void ChunkBatch::add(CutChunk chunk) {
  bytes_ += chunk.bytes.size();
  has_predecessor_ = has_predecessor_ || !chunk.predecessor.chunk.is_zero();
  chunks_.push_back(std::move(chunk));
}

bool ChunkBatch::is_ready() const {
  if (chunks_.empty()) return false;
  if (!has_predecessor_ || bytes_ >= kBatchBytes) return true;
  const std::uint64_t first = chunks_.front().owner->offset;
  const std::uint64_t last = chunks_.back().owner->offset;
  return last < first || last - first >= kBatchDistance;
}

void ChunkBatch::run() {
  const Status done = store();
  for (const CutChunk& chunk : chunks_) {
    if (!done) chunk.map->fail(done.error());
    chunk.span->extent_done();
  }
  chunks_.clear();
}

// True when the chunk needs no storing.
bool ChunkBatch::settle_unstored(CutChunk& chunk) const {
  const auto& expected = chunk.expected;
  if (expected && keys_->chunk_id(repo::BlobType::Data, chunk.bytes) == expected->chunk) {
    *chunk.extent = *expected;
    return true;
  }
  if (is_all_zero(chunk.bytes)) {
    *chunk.extent = hole_of(chunk.bytes.size());
    return true;
  }
  return false;
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
  std::vector<const CutChunk*> stored;
  for (CutChunk& chunk : chunks_) {
    if (settle_unstored(chunk)) continue;
    stored.push_back(&chunk);
    requests.push_back({.type = repo::BlobType::Data,
                        .plain = chunk.bytes,
                        .predecessor = chunk.predecessor,
                        .trial = chunk.trial.get(),
                        .dictionary = chunk.dictionary.get(),
                        .result = {}});
  }
  PV_TRY(session_->put(requests));
  for (std::size_t i = 0; i < stored.size(); ++i) fill(*stored[i], requests[i].result.id);
  return ok();
}

}  // namespace pagevault::engine
