#include "extent_batch.h"

#include <algorithm>

#include "pagevault/chunker/gate.h"

namespace pagevault::engine {

namespace {

constexpr std::uint64_t kGapMax = 128 * kKiB;  // Reading over it is cheaper than a second request.
constexpr std::uint64_t kRunMax = 4 * kMiB;

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
  std::shared_ptr<ExtentBatch> batch(new ExtentBatch(workspace));
  batch->extents_ = std::move(extents);
  batch->locate();
  batch->plan_runs();
  batch->read_runs();
  return batch;
}

// An extent without a known place gets no blob; decode then says so.
void ExtentBatch::locate() {
  for (const repo::Extent& extent : extents_) {
    if (blob_of_.contains(extent.chunk)) continue;
    const auto places = workspace_->index().find(extent.chunk);
    if (!places) continue;
    const auto data = std::find_if(places->begin(), places->end(), [](const auto& place) {
      return place.entry.type == repo::BlobType::Data;
    });
    if (data == places->end()) continue;
    blob_of_.emplace(extent.chunk, blobs_.size());
    blobs_.push_back({.where = *data});
  }
}

void ExtentBatch::plan_runs() {
  std::vector<std::size_t> order(blobs_.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const repo::BlobLocation& x = blobs_[a].where;
    const repo::BlobLocation& y = blobs_[b].where;
    return std::tie(x.pack.id, x.offset) < std::tie(y.pack.id, y.offset);
  });
  const PackId* pack = nullptr;
  for (const std::size_t i : order) {
    Blob& blob = blobs_[i];
    const std::uint64_t begin = blob.where.offset;
    const std::uint64_t end = begin + blob.where.entry.stored_bytes;
    const bool joins = pack != nullptr && *pack == blob.where.pack.id &&
                       begin <= runs_.back().end + kGapMax && end - runs_.back().begin <= kRunMax;
    if (!joins) {
      runs_.push_back({.pack = {repo::ObjectType::Pack, blob.where.pack.id.hex()},
                       .begin = begin,
                       .end = end,
                       .bytes = {},
                       .status = {}});
      pack = &blob.where.pack.id;
    }
    blob.run = runs_.size() - 1;
    blob.offset = begin - runs_.back().begin;
    runs_.back().end = std::max(runs_.back().end, end);
  }
}

void ExtentBatch::read_runs() {
  std::vector<repo::RangeRead> reads;
  reads.reserve(runs_.size());
  for (Run& run : runs_) {
    run.bytes.resize(run.end - run.begin);
    reads.push_back({.name = run.pack, .offset = run.begin, .out = run.bytes, .status = {}});
  }
  workspace_->repository().store().read_ranges(reads);
  for (std::size_t i = 0; i < runs_.size(); ++i) runs_[i].status = reads[i].status;
}

Status ExtentBatch::check_gate(const repo::Extent& extent, ByteView bytes) const {
  const auto& keys = workspace_->repository().keys();
  if (chunker::gate_of(keys.gate(), bytes) == extent.gate) return ok();
  return Error(ErrorCode::Corrupt,
               "chunk " + extent.chunk.hex(8) + " is not what the snapshot recorded");
}

Status ExtentBatch::decode_planned(const Blob& blob, const repo::Extent& extent, MutableBytes out,
                                   bool verify_id) const {
  const Run& run = runs_[blob.run];
  PV_TRY(run.status);
  const repo::BlobEntry& entry = blob.where.entry;
  const ByteView sealed = ByteView(run.bytes).subspan(blob.offset, entry.stored_bytes);
  if (extent.whole_chunk && entry.plain_bytes == extent.length) {
    PV_TRY(workspace_->reader().decode(blob.where, sealed, out, verify_id));
  } else {
    Bytes plain(entry.plain_bytes);
    PV_TRY(workspace_->reader().decode(blob.where, sealed, plain, verify_id));
    PV_TRY_ASSIGN(const ByteView part, part_of(extent, plain));
    std::copy(part.begin(), part.end(), out.begin());
  }
  return check_gate(extent, out);
}

Status ExtentBatch::decode_elsewhere(const repo::Extent& extent, MutableBytes out) const {
  PV_TRY_ASSIGN(const Bytes plain, workspace_->reader().read_data(extent.chunk));
  PV_TRY_ASSIGN(const ByteView part, part_of(extent, plain));
  std::copy(part.begin(), part.end(), out.begin());
  return check_gate(extent, out);
}

Status ExtentBatch::decode(std::size_t i, MutableBytes out, bool verify_id) const {
  const repo::Extent& extent = extents_[i];
  PV_CHECK(out.size() == extent.length);
  const auto planned = blob_of_.find(extent.chunk);
  if (planned != blob_of_.end() &&
      decode_planned(blobs_[planned->second], extent, out, verify_id)) {
    return ok();
  }
  return decode_elsewhere(extent, out);
}

}  // namespace pagevault::engine
