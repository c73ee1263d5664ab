// The latest small index objects, beside an index that is dear to write to.
//
// Problem: a snapshot every few seconds adds an index object of a hundred entries. Opening RocksDB
// for writing, writing a run and closing it costs six syncs and some ten milliseconds each time,
// about as much as all the rest.
//
// Choice: small objects of new packs stay in memory and in one file, to which each is appended as
// it is in the store, with a checksum. When there are many, the index below takes all at once. A
// look asks both.
//
// Invariants:
//  1. The file is synced before flush() returns, and the index below before it: what a later run
//     trusts (covered_snapshots.h) is known to one of the two.
//  2. Objects leave the file only after the index below was made durable with them. A crash between
//     leaves them in both; they are left out when the file is read.
//  3. No pack is known to both, so that none of its places is found twice.
//  4. The file counts only on top of an index that knows something: one that was begun anew lost
//     what the file is an addition to. So nothing is kept here before the index below has any.
//  5. Objects come in their order: what goes below directly takes those that are here with it.

#include <mutex>
#include <shared_mutex>

#include "pagevault/base/codec.h"
#include "pagevault/base/env.h"
#include "pagevault/repo/chunk_index.h"
#include "pagevault/repo/sealed_object.h"

namespace pagevault::repo {

namespace {

constexpr std::string_view kName = "recent";
constexpr std::size_t kBlobsMax = 4096;  // Decoded in a millisecond or two at each opening.
constexpr std::size_t kFileBytesMax = 2 * kMiB;
constexpr std::size_t kRecordOverhead = 4 + IndexId::kBytes + 8;

struct Recent {
  IndexId id;
  IndexObject object;
};

std::size_t blobs_in(const IndexObject& object) {
  std::size_t blobs = 0;
  for (const PackDirectory& pack : object.packs) blobs += pack.blobs.size();
  return blobs;
}

Bytes encode_record(const IndexId& id, const IndexObject& object) {
  const Bytes body = encode_index_object(object);
  Encoder out;
  out.u32(static_cast<std::uint32_t>(body.size()));
  out.raw(id.view());
  out.raw(body);
  out.u64(object_checksum(out.view()));
  return out.take();
}

struct Records {
  std::vector<Recent> recent;
  std::size_t bytes = 0;  // Of whole records; behind them may be one that a crash cut short.
};

/// Errors: Corrupt, unless only the end is missing.
Result<Records> decode_records(ByteView file) {
  Records out;
  while (file.size() - out.bytes >= kRecordOverhead) {
    const ByteView rest = file.subspan(out.bytes);
    const std::size_t length = kRecordOverhead + load_le32(rest);
    if (length > rest.size()) break;
    const ByteView record = rest.first(length);
    PV_TRY(verify_checksum(record).context("recent index objects"));
    const ByteView body = record.subspan(4 + IndexId::kBytes, length - kRecordOverhead);
    Recent recent{IndexId::from_view(record.subspan(4, IndexId::kBytes)), {}};
    PV_TRY_ASSIGN(recent.object, decode_index_object(body).context("recent index objects"));
    out.recent.push_back(std::move(recent));
    out.bytes += length;
  }
  return out;
}

Result<Bytes> read_recent_file(Dir& dir) {
  const auto file = dir.open_file(kName, OpenMode::Read);
  if (!file && file.error().code() == ErrorCode::NotFound) return Bytes();
  PV_TRY(file);
  PV_TRY_ASSIGN(const FileInfo info, (*file)->info());
  if (info.size > kFileBytesMax) return Error(ErrorCode::Corrupt, "recent index objects: too long");
  Bytes out(info.size);
  PV_TRY_ASSIGN(const std::size_t got, (*file)->read_at(0, out));
  out.resize(got);
  return out;
}

class RecentIndex final : public ChunkIndex {
 public:
  RecentIndex(std::unique_ptr<Dir> dir, std::unique_ptr<ChunkIndex> below)
      : dir_(std::move(dir)), below_(std::move(below)), recent_(make_memory_index()) {}

  Status load();

  Result<std::vector<BlobLocation>> find(const ChunkId& id) override {
    const std::shared_lock lock(mutex_);
    PV_TRY_ASSIGN(auto places, below_->find(id));
    PV_TRY_ASSIGN(const auto more, recent_->find(id));
    places.insert(places.end(), more.begin(), more.end());
    return places;
  }
  Result<bool> contains(const ChunkId& id) override {
    const std::shared_lock lock(mutex_);
    PV_TRY_ASSIGN(const bool here, recent_->contains(id));
    return here ? Result<bool>(true) : below_->contains(id);
  }
  Result<bool> knows_pack(const PackId& id) override {
    const std::shared_lock lock(mutex_);
    return knows_pack_locked(id);
  }
  Status apply(const IndexId& id, const IndexObject& object) override;
  Result<std::set<IndexId>> applied() override {
    const std::shared_lock lock(mutex_);
    std::set<IndexId> ids = applied_below_;
    for (const Recent& each : objects_) ids.insert(each.id);
    return ids;
  }
  Status for_each_pack(const std::function<void(const PackInfo&)>& visit) override {
    const std::shared_lock lock(mutex_);
    PV_TRY(below_->for_each_pack(visit));
    return recent_->for_each_pack(visit);
  }
  Status for_each_blob(const std::function<void(const BlobLocation&)>& visit) override {
    const std::shared_lock lock(mutex_);
    PV_TRY(below_->for_each_blob(visit));
    return recent_->for_each_blob(visit);
  }
  Status reset() override;
  Status flush() override;

 private:
  // All under mutex_.
  Result<bool> knows_pack_locked(const PackId& id);
  Result<bool> belongs_here(const IndexObject& object, std::size_t record_bytes);
  Status keep(Recent recent);
  Status apply_below(const IndexId& id, const IndexObject& object);
  Status hand_down();
  Status save();
  Result<std::unique_ptr<File>> open_for_writing();
  Status forget();
  Status erase_file();

  const std::unique_ptr<Dir> dir_;
  std::mutex saving_;        // Held by flush, before mutex_.
  std::shared_mutex mutex_;  // Exclusive while objects come or go.
  // Guarded by mutex_.
  const std::unique_ptr<ChunkIndex> below_;
  const std::unique_ptr<ChunkIndex> recent_;  // What objects_ holds.
  std::vector<Recent> objects_;
  std::size_t blobs_ = 0;
  // Guarded by mutex_, and by saving_ where it is held shared.
  std::size_t file_bytes_ = 0;  // Of whole records in the file.
  Bytes unsaved_;               // Records to be appended.
  std::set<IndexId> applied_below_;
  bool below_is_ahead_ = false;  // Of the disk.
  bool handed_down_ = false;     // What the file holds is known below.
};

// A file that is damaged takes all with it: what was in it may be trusted by others (1).
Status RecentIndex::load() {
  auto below = below_->applied();
  if (!below) return reset();
  applied_below_ = std::move(below).value();
  if (applied_below_.empty()) return erase_file();
  const auto file = read_recent_file(*dir_);
  auto records = file ? decode_records(*file) : Result<Records>(file.error());
  if (!records) return reset();
  file_bytes_ = records->bytes;
  for (Recent& each : records->recent) {
    if (!applied_below_.contains(each.id)) PV_TRY(keep(std::move(each)));
  }
  return ok();
}

Result<bool> RecentIndex::knows_pack_locked(const PackId& id) {
  PV_TRY_ASSIGN(const bool here, recent_->knows_pack(id));
  return here ? Result<bool>(true) : below_->knows_pack(id);
}

Result<bool> RecentIndex::belongs_here(const IndexObject& object, std::size_t record_bytes) {
  const bool fits = blobs_ + blobs_in(object) <= kBlobsMax &&
                    file_bytes_ + unsaved_.size() + record_bytes <= kFileBytesMax;
  if (applied_below_.empty() || !fits) return false;
  for (const PackDirectory& pack : object.packs) {
    PV_TRY_ASSIGN(const bool known, knows_pack_locked(pack.info.id));
    if (known) return false;
  }
  return true;
}

Status RecentIndex::keep(Recent recent) {
  PV_TRY(recent_->apply(recent.id, recent.object));
  blobs_ += blobs_in(recent.object);
  objects_.push_back(std::move(recent));
  return ok();
}

Status RecentIndex::apply(const IndexId& id, const IndexObject& object) {
  const std::unique_lock lock(mutex_);
  PV_TRY_ASSIGN(const auto here, recent_->applied());
  if (here.contains(id) || applied_below_.contains(id)) return ok();
  const Bytes record = encode_record(id, object);
  PV_TRY_ASSIGN(const bool kept, belongs_here(object, record.size()));
  if (kept) {
    append(unsaved_, record);
    return keep({id, object});
  }
  PV_TRY(hand_down());
  return apply_below(id, object);
}

Status RecentIndex::apply_below(const IndexId& id, const IndexObject& object) {
  below_is_ahead_ = true;
  PV_TRY(below_->apply(id, object));
  applied_below_.insert(id);
  return ok();
}

// The file keeps them until the next flush (2).
Status RecentIndex::hand_down() {
  if (objects_.empty()) return ok();
  handed_down_ = true;
  for (const Recent& each : objects_) PV_TRY(apply_below(each.id, each.object));
  return forget();
}

Status RecentIndex::forget() {
  objects_.clear();
  blobs_ = 0;
  unsaved_.clear();
  return recent_->reset();
}

Status RecentIndex::flush() {
  const std::lock_guard saving(saving_);
  const std::shared_lock lock(mutex_);  // Looks go on meanwhile.
  if (below_is_ahead_) {
    PV_TRY(below_->flush());
    below_is_ahead_ = false;
  }
  if (unsaved_.empty() && !handed_down_) return ok();
  return save();
}

Status RecentIndex::save() {
  PV_TRY_ASSIGN(const auto file, open_for_writing());
  if (handed_down_) {
    PV_TRY(file->truncate(0));
    file_bytes_ = 0;
    handed_down_ = false;
  }
  PV_TRY_ASSIGN(const FileInfo info, file->info());
  if (info.size != file_bytes_) PV_TRY(file->truncate(file_bytes_));  // Cut short by a crash.
  PV_TRY(file->write_at(file_bytes_, unsaved_));
  PV_TRY(file->sync());
  file_bytes_ += unsaved_.size();
  unsaved_.clear();
  return file->close();
}

Result<std::unique_ptr<File>> RecentIndex::open_for_writing() {
  auto file = dir_->open_file(kName, OpenMode::ReadWrite);
  if (file || file.error().code() != ErrorCode::NotFound) return file;
  PV_TRY_ASSIGN(file, dir_->open_file(kName, OpenMode::CreateExclusive));
  PV_TRY(dir_->sync());
  return file;
}

Status RecentIndex::reset() {
  const std::unique_lock lock(mutex_);
  PV_TRY(forget());
  file_bytes_ = 0;
  applied_below_.clear();
  below_is_ahead_ = handed_down_ = false;
  PV_TRY(below_->reset());  // First (4).
  return erase_file();
}

Status RecentIndex::erase_file() {
  const Status removed = dir_->remove_file(kName);
  if (removed) return dir_->sync();
  return removed.error().code() == ErrorCode::NotFound ? ok() : removed;
}

}  // namespace

Result<std::unique_ptr<ChunkIndex>> open_recent_index(Env& env, const std::string& folder,
                                                      std::unique_ptr<ChunkIndex> below) {
  PV_TRY_ASSIGN(auto dir, env.open_dir(folder));
  auto index = std::make_unique<RecentIndex>(std::move(dir), std::move(below));
  PV_TRY(index->load());
  return std::unique_ptr<ChunkIndex>(std::move(index));
}

}  // namespace pagevault::repo
