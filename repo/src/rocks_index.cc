// The index in RocksDB, a cache that may be lost at any time (I9).
//
// Problem: apply an index object wholly or not at all, in bounded memory, without a write-ahead
// log, and be open in a few milliseconds for a program that only looks.
//
// Choice: one column family. Without a log a crash keeps a prefix of what was written, because
// memtables become durable in order. Records are written in batches under pack numbers nobody knows
// yet; the last batch makes the numbers known and marks the object applied.
//
// Invariants:
//  1. A record counts only if its pack number is known (key 'p').
//  2. Numbers become known in the batch that marks their index object applied, after its records.
//  3. A number is used once: the counter moves before the first record under it. Records of an
//  apply
//     that was cut short stay behind unknown numbers for ever.
//  4. A pack never changes, so a known pack is not added again (merged index objects).
//  5. The folder's lock file is held as long as this object lives; RocksDB's own lock is not
//  enough,
//     because a read-only open does not take it.
//
// Opened read-only first: no file is written, synced or compacted until the first apply().

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "index_records.h"
#include "pagevault/repo/chunk_index.h"
#include "pagevault/repo/pack_reader.h"
#include "rocks_options.h"

namespace pagevault::repo {

namespace {

constexpr std::size_t kBatchBytes = kMiB;
constexpr std::size_t kPacksRemembered = 65'536;  // About 6 MiB.

ErrorCode code_of(const rocksdb::Status& status) {
  if (status.IsNoSpace()) return ErrorCode::NoSpace;
  // A file of the database that is gone is damage like any other: begin anew.
  if (status.IsCorruption() || status.IsPathNotFound() || status.IsNotFound()) {
    return ErrorCode::Corrupt;
  }
  return ErrorCode::Io;
}

Error error_of(const rocksdb::Status& status, std::string_view doing) {
  return {code_of(status), fmt::format("index cache: {}: {}", doing, status.ToString())};
}

Status check(const rocksdb::Status& status, std::string_view doing) {
  if (status.ok()) return ok();
  return error_of(status, doing);
}

rocksdb::Slice slice_of(ByteView bytes) {
  const std::string_view text = as_text(bytes);
  return {text.data(), text.size()};
}

/// Holds a lock file; other openers, of this process or another, are told Locked.
class FolderLock {
 public:
  static Result<FolderLock> take(const std::string& path) {
    rocksdb::FileLock* lock = nullptr;
    const auto status = rocksdb::Env::Default()->LockFile(path, &lock);
    if (status.ok()) return FolderLock(lock);
    // RocksDB has no code for it, only these texts (env/fs_posix.cc, LockFile).
    const std::string text = status.ToString();
    const bool held = text.find("lock hold by current process") != std::string::npos ||
                      text.find("While lock file") != std::string::npos;
    if (held) return Error(ErrorCode::Locked, fmt::format("index cache: {} is in use", path));
    return error_of(status, "lock");
  }
  FolderLock(FolderLock&& other) noexcept : lock_(std::exchange(other.lock_, nullptr)) {}
  FolderLock& operator=(FolderLock&&) = delete;
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock() {
    if (lock_ != nullptr) rocksdb::Env::Default()->UnlockFile(lock_).PermitUncheckedError();
  }

 private:
  explicit FolderLock(rocksdb::FileLock* lock) : lock_(lock) {}
  rocksdb::FileLock* lock_;  // Owned by RocksDB's Env between LockFile and UnlockFile.
};

enum class Access { ReadOnly, ReadWrite };

/// Collects writes into batches of bounded size. Nothing is durable before a flush.
class BatchWriter {
 public:
  explicit BatchWriter(rocksdb::DB& db) : db_(db) { options_.disableWAL = true; }

  Status put(const std::string& key, const std::string& value) {
    return check(batch_.Put(key, value), "write");
  }
  Status append(const std::string& key, ByteView value) {
    PV_TRY(check(batch_.Merge(key, slice_of(value)), "write"));
    return batch_.GetDataSize() < kBatchBytes ? ok() : write();
  }
  Status write() {
    PV_TRY(check(db_.Write(options_, &batch_), "write"));
    batch_.Clear();
    return ok();
  }

 private:
  rocksdb::DB& db_;
  rocksdb::WriteOptions options_;
  rocksdb::WriteBatch batch_;
};

class RocksIndex final : public ChunkIndex {
 public:
  RocksIndex(RocksIndexOptions options, FolderLock lock)
      : options_(std::move(options)),
        rocks_options_(rocks_options(options_.memory_max)),
        lock_(std::move(lock)) {}

  /// Opens what is there, or begins anew when that is broken or another repository's.
  Status open_or_begin() {
    if (open_existing()) return ok();
    return begin_anew();
  }

  Result<std::vector<BlobLocation>> find(const ChunkId& id) override {
    const std::shared_lock lock(mutex_);
    std::vector<BlobLocation> out;
    PV_TRY(visit_places(id, [&out](const BlobLocation& where) {
      out.push_back(where);
      return Next::Go;
    }));
    return out;
  }

  Result<bool> contains(const ChunkId& id) override {
    const std::shared_lock lock(mutex_);
    bool found = false;
    PV_TRY(visit_places(id, [&found](const BlobLocation&) {
      found = true;
      return Next::Stop;
    }));
    return found;
  }

  Status apply(const IndexId& id, const IndexObject& object) override;
  Result<bool> knows_pack(const PackId& id) override {
    const std::shared_lock lock(mutex_);
    PV_TRY_ASSIGN(const auto number, get(id_key(kPackNumberPrefix, id)));
    return number.has_value();
  }
  Result<std::set<IndexId>> applied() override;
  Status for_each_pack(const std::function<void(const PackInfo&)>& visit) override;
  Status for_each_blob(const std::function<void(const BlobLocation&)>& visit) override;

  Status reset() override {
    const std::unique_lock lock(mutex_);
    return begin_anew();
  }

  Status flush() override;

 private:
  enum class Next { Go, Stop };
  struct NumberedPack {
    PackNumber number;
    const PackDirectory* pack;
  };

  std::string database_path() const { return options_.folder + "/db"; }
  std::string label_value() const { return std::string(kIndexSchema) + options_.label; }

  Status open(Access access);
  Status open_existing();
  Status begin_anew();
  Status make_writable();
  Status settle();

  /// The value of `key`; nothing when absent.
  Result<std::optional<std::string>> get(const std::string& key);
  /// Info of a pack; nothing when the number is not known (invariant 1).
  Result<std::optional<PackInfo>> known_pack(PackNumber number);
  template <class Visit>
  Status visit_places(const ChunkId& id, const Visit& visit);
  template <class Visit>
  Status visit_records(const ChunkId& id, ByteView records, const Visit& visit);
  /// Calls visit(key, value) -> Status for every key with `prefix`.
  template <class Visit>
  Status scan(char prefix, const Visit& visit);

  Result<std::vector<NumberedPack>> number_new_packs(const IndexObject& object);

  // Immutable after construction.
  const RocksIndexOptions options_;
  const rocksdb::Options rocks_options_;

  std::shared_mutex mutex_;  // Exclusive while db_ itself changes, shared to use it.
  FolderLock lock_;          // Outlives db_.
  std::unique_ptr<rocksdb::DB> db_;
  Access access_ = Access::ReadOnly;

  std::shared_mutex packs_mutex_;
  std::unordered_map<PackNumber, PackInfo> packs_;  // Guarded by packs_mutex_; a cache.
};

Status RocksIndex::open(Access access) {
  db_.reset();
  rocksdb::Options options = rocks_options_;
  options.create_if_missing = access == Access::ReadWrite;
  rocksdb::DB* db = nullptr;
  const auto status = access == Access::ReadOnly
                          ? rocksdb::DB::OpenForReadOnly(options, database_path(), &db)
                          : rocksdb::DB::Open(options, database_path(), &db);
  db_.reset(db);
  access_ = access;
  return check(status, "open");
}

Status RocksIndex::open_existing() {
  PV_TRY(open(Access::ReadOnly));
  PV_TRY_ASSIGN(const auto label, get(std::string(kLabelKey)));
  if (label != label_value()) return Error(ErrorCode::Corrupt, "index cache: another label");
  return ok();
}

Status RocksIndex::begin_anew() {
  db_.reset();
  {
    const std::unique_lock lock(packs_mutex_);
    packs_.clear();
  }
  std::error_code error;
  std::filesystem::remove_all(database_path(), error);
  if (error) {
    return Error(ErrorCode::Io,
                 fmt::format("index cache: erase {}: {}", database_path(), error.message()));
  }
  PV_TRY(open(Access::ReadWrite));
  BatchWriter out(*db_);
  PV_TRY(out.put(std::string(kLabelKey), label_value()));
  return out.write();
}

Status RocksIndex::make_writable() {
  const std::unique_lock lock(mutex_);
  if (db_ == nullptr) return Error(ErrorCode::Corrupt, "index cache: could not be opened before");
  if (access_ == Access::ReadWrite) return ok();
  return open(Access::ReadWrite);
}

Result<std::optional<std::string>> RocksIndex::get(const std::string& key) {
  if (db_ == nullptr) return Error(ErrorCode::Corrupt, "index cache: could not be opened before");
  std::string value;
  const auto status = db_->Get(rocksdb::ReadOptions(), key, &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  PV_TRY(check(status, "read"));
  return std::optional(std::move(value));
}

Result<std::optional<PackInfo>> RocksIndex::known_pack(PackNumber number) {
  {
    const std::shared_lock lock(packs_mutex_);
    const auto found = packs_.find(number);
    if (found != packs_.end()) return std::optional(found->second);
  }
  PV_TRY_ASSIGN(const auto value, get(pack_key(number)));
  if (!value) return std::optional<PackInfo>();
  PV_TRY_ASSIGN(const PackInfo info, decode_pack(*value));
  const std::unique_lock lock(packs_mutex_);
  if (packs_.size() >= kPacksRemembered) packs_.clear();
  packs_.emplace(number, info);
  return std::optional(info);
}

template <class Visit>
Status RocksIndex::visit_places(const ChunkId& id, const Visit& visit) {
  if (db_ == nullptr) return Error(ErrorCode::Corrupt, "index cache: could not be opened before");
  rocksdb::PinnableSlice value;
  const auto status = db_->Get(rocksdb::ReadOptions(), db_->DefaultColumnFamily(),
                               id_key(kChunkPrefix, id), &value);
  if (status.IsNotFound()) return ok();
  PV_TRY(check(status, "read"));
  return visit_records(id, as_bytes(value.ToStringView()), visit);
}

template <class Visit>
Status RocksIndex::visit_records(const ChunkId& id, ByteView records, const Visit& visit) {
  Decoder in(records, "index cache: places of a chunk");
  while (!in.at_end()) {
    PV_TRY_ASSIGN(LocationRecord record, decode_location(in, id));
    PV_TRY_ASSIGN(const auto pack, known_pack(record.pack));
    if (!pack) continue;
    record.where.pack = *pack;
    if (visit(record.where) == Next::Stop) return ok();
  }
  return ok();
}

template <class Visit>
Status RocksIndex::scan(char prefix, const Visit& visit) {
  if (db_ == nullptr) return Error(ErrorCode::Corrupt, "index cache: could not be opened before");
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options));
  for (it->Seek(rocksdb::Slice(&prefix, 1)); it->Valid(); it->Next()) {
    const std::string_view key = it->key().ToStringView();
    if (key.front() != prefix) break;
    PV_TRY(visit(key, it->value().ToStringView()));
  }
  return check(it->status(), "scan");
}

Error bad_key() { return {ErrorCode::Corrupt, "index cache: a key of the wrong length"}; }

// The packs that are not known yet, under fresh numbers (invariants 3 and 4).
Result<std::vector<RocksIndex::NumberedPack>> RocksIndex::number_new_packs(
    const IndexObject& object) {
  PV_TRY_ASSIGN(const auto stored, get(std::string(kNextNumberKey)));
  PackNumber next = 0;
  if (stored) {
    PV_TRY_ASSIGN(next, decode_number(*stored));
  }
  std::vector<NumberedPack> packs;
  std::unordered_set<PackId> seen;
  for (const PackDirectory& pack : object.packs) {
    if (!seen.insert(pack.info.id).second) continue;
    PV_TRY_ASSIGN(const auto known, get(id_key(kPackNumberPrefix, pack.info.id)));
    if (!known) packs.push_back({next++, &pack});
  }
  return packs;
}

Status RocksIndex::apply(const IndexId& id, const IndexObject& object) {
  PV_TRY(make_writable());
  const std::shared_lock lock(mutex_);
  PV_TRY_ASSIGN(const auto done, get(id_key(kAppliedPrefix, id)));
  if (done) return ok();

  PV_TRY_ASSIGN(const auto packs, number_new_packs(object));
  BatchWriter out(*db_);
  if (!packs.empty()) {
    PV_TRY(out.put(std::string(kNextNumberKey), number_value(packs.back().number + 1)));
  }
  for (const NumberedPack& each : packs) {
    Status status;
    repo::for_each_blob(*each.pack, [&](const BlobLocation& where) {
      if (!status) return;
      status =
          out.append(id_key(kChunkPrefix, where.entry.id), encode_location(each.number, where));
    });
    PV_TRY(status);
  }
  PV_TRY(out.write());

  for (const auto& [number, pack] : packs) {
    PV_TRY(out.put(id_key(kPackNumberPrefix, pack->info.id), number_value(number)));
    PV_TRY(out.put(pack_key(number), pack_value(pack->info)));
  }
  PV_TRY(out.put(id_key(kAppliedPrefix, id), std::string()));
  return out.write();
}

Result<std::set<IndexId>> RocksIndex::applied() {
  const std::shared_lock lock(mutex_);
  std::set<IndexId> out;
  PV_TRY(scan(kAppliedPrefix, [&out](std::string_view key, std::string_view) -> Status {
    const auto id = id_of_key(key);
    if (!id) return bad_key();
    out.insert(IndexId::from_view(*id));
    return ok();
  }));
  return out;
}

Status RocksIndex::for_each_pack(const std::function<void(const PackInfo&)>& visit) {
  const std::shared_lock lock(mutex_);
  return scan(kPackPrefix, [&visit](std::string_view, std::string_view value) -> Status {
    PV_TRY_ASSIGN(const PackInfo info, decode_pack(value));
    visit(info);
    return ok();
  });
}

Status RocksIndex::for_each_blob(const std::function<void(const BlobLocation&)>& visit) {
  const std::shared_lock lock(mutex_);
  return scan(kChunkPrefix, [&](std::string_view key, std::string_view value) -> Status {
    const auto id = id_of_key(key);
    if (!id) return bad_key();
    return visit_records(ChunkId::from_view(*id), as_bytes(value), [&](const BlobLocation& where) {
      visit(where);
      return Next::Go;
    });
  });
}

Status RocksIndex::flush() {
  const std::shared_lock lock(mutex_);
  if (db_ == nullptr || access_ == Access::ReadOnly) return ok();
  PV_TRY(check(db_->Flush(rocksdb::FlushOptions()), "flush"));
  return settle();
}

// A short program would cut off its own compaction at every close, and runs would pile up. So wait
// for the one under way, but only while there are too many runs. Pausing returns when running jobs
// have ended; continuing schedules the next.
Status RocksIndex::settle() {
  const auto runs = [this] {
    std::vector<rocksdb::LiveFileMetaData> files;
    db_->GetLiveFilesMetaData(&files);
    return std::count_if(files.begin(), files.end(), [](const auto& f) { return f.level == 0; });
  };
  for (auto before = runs(); before > kSortedRunsMax;) {
    PV_TRY(check(db_->PauseBackgroundWork(), "compact"));
    PV_TRY(check(db_->ContinueBackgroundWork(), "compact"));
    const auto after = runs();
    if (after >= before) break;  // Nothing was under way: do not insist.
    before = after;
  }
  return ok();
}

Status make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error) {
    std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
  }
  if (!error) return ok();
  return Error(ErrorCode::Io, fmt::format("index cache: make {}: {}", path, error.message()));
}

}  // namespace

Result<std::unique_ptr<ChunkIndex>> open_rocks_index(const RocksIndexOptions& options) {
  PV_TRY(make_folder(options.folder));
  PV_TRY_ASSIGN(FolderLock lock, FolderLock::take(options.folder + "/lock"));
  auto index = std::make_unique<RocksIndex>(options, std::move(lock));
  PV_TRY(index->open_or_begin());
  return std::unique_ptr<ChunkIndex>(std::move(index));
}

}  // namespace pagevault::repo
