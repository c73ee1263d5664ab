#include "extent_batch.h"

#include <algorithm>
#include <unordered_set>

#include "pagevault/chunker/gate.h"

namespace pagevault::engine {

namespace {

// The part of a chunk's plain bytes that the extent uses.
Result<ByteView> part_of(const repo::Extent& extent, ByteView plain) {
  const bool inside =
      extent.chunk_offset <= plain.size() && extent.length <= plain.size() - extent.chunk_offset;
  const bool fits = extent.whole_chunk ? plain.size() == extent.length : inside;
  if (!fits) return Error(ErrorCode::Corrupt, "extent and chunk differ in length");
  return plain.subspan(extent.chunk_offset, extent.length);
}

}  // namespace

std::shared_ptr<const ExtentBatch> ExtentBatch::fetch(Workspace& workspace,
                                                      std::vector<repo::Extent> extents) {
  std::shared_ptr<ExtentBatch> batch(new ExtentBatch(workspace, std::move(extents)));
  batch->blobs_ = repo::BlobBatch::fetch(workspace.reader(), batch->locate());
  return batch;
}

// An extent without a known place gets no blob; decode then says so.
std::vector<repo::BlobLocation> ExtentBatch::locate() const {
  std::vector<repo::BlobLocation> out;
  std::unordered_set<ChunkId> seen;
  for (const repo::Extent& extent : extents_) {
    if (!seen.insert(extent.chunk).second) continue;
    const auto places = workspace_->index().find(extent.chunk);
    if (!places) continue;
    const auto data = std::ranges::find(*places, repo::BlobType::Data,
                                        [](const auto& place) { return place.entry.type; });
    if (data != places->end()) out.push_back(*data);
  }
  return out;
}

Status ExtentBatch::check_gate(const repo::Extent& extent, ByteView bytes) const {
  const auto& keys = workspace_->repository().keys();
  if (chunker::gate_of(keys.gate(), bytes) == extent.gate) return ok();
  return Error(ErrorCode::Corrupt,
               "chunk " + extent.chunk.hex(8) + " is not what the snapshot recorded");
}

Status ExtentBatch::decode_planned(const repo::Extent& extent, MutableBytes out,
                                   bool verify_id) const {
  const repo::BlobLocation* const place = blobs_->place_of(extent.chunk);
  if (place == nullptr) return Error(ErrorCode::NotFound, "no place of it is known");
  const std::uint32_t plain_bytes = place->entry.plain_bytes;
  if (extent.whole_chunk && plain_bytes == extent.length) {
    PV_TRY(blobs_->decode(extent.chunk, out, verify_id));
  } else {
    Bytes plain(plain_bytes);
    PV_TRY(blobs_->decode(extent.chunk, plain, verify_id));
    PV_TRY_ASSIGN(const ByteView part, part_of(extent, plain));
    copy_bytes(part, out);
  }
  return check_gate(extent, out);
}

Status ExtentBatch::decode_elsewhere(const repo::Extent& extent, MutableBytes out) const {
  PV_TRY_ASSIGN(const Bytes plain, workspace_->reader().read_data(extent.chunk));
  PV_TRY_ASSIGN(const ByteView part, part_of(extent, plain));
  copy_bytes(part, out);
  return check_gate(extent, out);
}

Status ExtentBatch::decode_for_update(std::size_t i, MutableBytes out) const {
  const repo::Extent& extent = extents_[i];
  const repo::BlobLocation* const place = blobs_->place_of(extent.chunk);
  // Deltas follow what it is a delta of, which is kept when it is decoded.
  const bool may_be_base = place != nullptr && extent.whole_chunk &&
                           place->entry.encoding != repo::Encoding::ZstdDelta &&
                           place->entry.plain_bytes == extent.length;
  if (may_be_base) {
    if (const auto plain = blobs_->decode_base(extent.chunk)) {
      copy_bytes(**plain, out);
      if (check_gate(extent, out)) return ok();
    }
  }
  return decode(i, out, /*verify_id=*/false);
}

Status ExtentBatch::decode(std::size_t i, MutableBytes out, bool verify_id) const {
  const repo::Extent& extent = extents_[i];
  PV_CHECK(out.size() == extent.length);
  if (decode_planned(extent, out, verify_id)) return ok();
  return decode_elsewhere(extent, out);
}

}  // namespace pagevault::engine
