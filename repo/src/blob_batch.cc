#include "pagevault/repo/blob_batch.h"

#include <algorithm>
#include <tuple>

namespace pagevault::repo {

namespace {

constexpr std::uint64_t kGapMax = 128 * kKiB;  // Reading over it is cheaper than a second request.
constexpr std::uint64_t kRunMax = 4 * kMiB;

}  // namespace

std::shared_ptr<const BlobBatch> BlobBatch::fetch(ChunkReader& reader,
                                                  const std::vector<BlobLocation>& places) {
  std::shared_ptr<BlobBatch> batch(new BlobBatch(reader));
  for (const BlobLocation& where : places) {
    if (batch->add(where) && has_base(where.entry.encoding)) batch->add_base_of(where.entry);
  }
  batch->plan_runs();
  batch->read_runs();
  return batch;
}

std::shared_ptr<const BlobBatch> BlobBatch::fetch_bases(ChunkReader& reader,
                                                        std::span<const BlobLocation> places) {
  std::shared_ptr<BlobBatch> batch(new BlobBatch(reader));
  for (const BlobLocation& where : places) batch->add_base_of(where.entry);
  batch->plan_runs();
  batch->read_runs();
  return batch;
}

bool BlobBatch::add(const BlobLocation& where) {
  if (!blob_of_.emplace(where.entry.id, blobs_.size()).second) return false;
  blobs_.push_back({.where = where});
  return true;
}

// A base without a known place is left out; whoever decodes then looks for it once more and says
// what is wrong.
void BlobBatch::add_base_of(const BlobEntry& entry) {
  if (entry.encoding != Encoding::ZstdDelta || blob_of_.contains(entry.base)) return;
  if (reader_->cached_base(entry.base))
    return;  // Should it be dropped meanwhile, it is read alone.
  const auto places = reader_->index().find(entry.base);
  if (!places) return;
  const auto base = std::ranges::find_if(*places, [&](const BlobLocation& place) {
    return place.entry.type == entry.type && place.entry.encoding != Encoding::ZstdDelta;
  });
  if (base != places->end()) add(*base);
}

void BlobBatch::plan_runs() {
  std::vector<std::size_t> order(blobs_.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, {}, [&](std::size_t i) {
    return std::tie(blobs_[i].where.pack.id, blobs_[i].where.offset);
  });
  const PackId* pack = nullptr;
  for (const std::size_t i : order) {
    Blob& blob = blobs_[i];
    const std::uint64_t begin = blob.where.offset;
    const std::uint64_t end = begin + blob.where.entry.stored_bytes;
    const bool joins = pack != nullptr && *pack == blob.where.pack.id &&
                       begin <= runs_.back().end + kGapMax && end - runs_.back().begin <= kRunMax;
    if (!joins) {
      runs_.push_back({.pack = {ObjectType::Pack, blob.where.pack.id.hex()},
                       .begin = begin,
                       .end = end,
                       .bytes = nullptr,
                       .status = {}});
      pack = &blob.where.pack.id;
    }
    blob.run = runs_.size() - 1;
    blob.offset = begin - runs_.back().begin;
    runs_.back().end = std::max(runs_.back().end, end);
  }
}

void BlobBatch::read_runs() {
  std::vector<RangeRead> reads;
  reads.reserve(runs_.size());
  for (Run& run : runs_) {
    run.bytes = std::make_unique_for_overwrite<std::byte[]>(run.size());
    reads.push_back({.name = run.pack,
                     .offset = run.begin,
                     .out = MutableBytes(run.bytes.get(), run.size()),
                     .status = {}});
  }
  reader_->repository().store().read_ranges(reads);
  reader_->count_read(bytes_read());
  for (std::size_t i = 0; i < runs_.size(); ++i) runs_[i].status = reads[i].status;
}

const BlobBatch::Blob* BlobBatch::find(const ChunkId& id) const {
  const auto found = blob_of_.find(id);
  return found == blob_of_.end() ? nullptr : &blobs_[found->second];
}

const BlobLocation* BlobBatch::place_of(const ChunkId& id) const {
  const Blob* const blob = find(id);
  return blob == nullptr ? nullptr : &blob->where;
}

Result<ByteView> BlobBatch::sealed_bytes(const Blob& blob) const {
  const Run& run = runs_[blob.run];
  PV_TRY(run.status);
  return ByteView(run.bytes.get(), run.size()).subspan(blob.offset, blob.where.entry.stored_bytes);
}

Result<std::shared_ptr<const Bytes>> BlobBatch::decode_base(const ChunkId& id) const {
  const Blob* const blob = find(id);
  PV_CHECK(blob != nullptr);
  PV_TRY_ASSIGN(const ByteView sealed, sealed_bytes(*blob));
  return reader_->decode_base(blob->where, sealed);
}

Result<std::shared_ptr<const Bytes>> BlobBatch::base_of(const BlobEntry& entry) const {
  if (!has_base(entry.encoding)) return std::shared_ptr<const Bytes>();
  if (find(entry.base) != nullptr) {
    if (auto planned = decode_base(entry.base)) return planned;
  }
  return reader_->read_base(entry);
}

Status BlobBatch::decode(const ChunkId& id, MutableBytes plain, bool verify_id) const {
  const Blob* const blob = find(id);
  PV_CHECK(blob != nullptr);
  PV_TRY_ASSIGN(const ByteView sealed, sealed_bytes(*blob));
  PV_TRY_ASSIGN(const auto base, base_of(blob->where.entry));
  return reader_->decode_onto(blob->where, sealed, base ? ByteView(*base) : ByteView(), plain,
                              verify_id);
}

std::uint64_t BlobBatch::bytes_read() const {
  std::uint64_t sum = 0;
  for (const Run& run : runs_) sum += run.size();
  return sum;
}

}  // namespace pagevault::repo
