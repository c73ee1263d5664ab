#include "pagevault/repo/chunk_reader.h"

#include <fmt/format.h>

#include <atomic>
#include <list>
#include <mutex>
#include <unordered_map>

#include "pagevault/base/object_pool.h"
#include "pagevault/repo/pack_reader.h"

namespace pagevault::repo {

namespace {

constexpr std::size_t kKeysCached = 256;
constexpr std::size_t kMetadataBytesCached = 24 * kMiB;
// Two windows of an incremental and the chunks cut from them (engine/src/incremental_source.cc).
constexpr std::size_t kBaseBytesCached = 16 * kMiB;

// Values by id, the least recently used dropped when their weights exceed a limit. Thread-safe.
template <class Id, class Value>
class Cache {
 public:
  explicit Cache(std::size_t weight_max) : weight_max_(weight_max) {}

  std::shared_ptr<const Value> get(const Id& id) {
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(id);
    if (found == places_.end()) return nullptr;
    items_.splice(items_.begin(), items_, found->second);
    return found->second->value;
  }

  // Both the cache and the caller own the value: it may be dropped here while in use there.
  std::shared_ptr<const Value> put(const Id& id, Value value, std::size_t weight) {
    auto shared = std::make_shared<const Value>(std::move(value));
    const std::lock_guard lock(mutex_);
    if (places_.contains(id)) return shared;
    items_.push_front({id, shared, weight});
    places_.emplace(id, items_.begin());
    weight_ += weight;
    while (weight_ > weight_max_ && items_.size() > 1) drop_last();
    return shared;
  }

 private:
  struct Item {
    Id id;
    std::shared_ptr<const Value> value;
    std::size_t weight;
  };

  void drop_last() {
    weight_ -= items_.back().weight;
    places_.erase(items_.back().id);
    items_.pop_back();
  }

  const std::size_t weight_max_;
  std::mutex mutex_;
  std::list<Item> items_;                                              // Guarded by mutex_.
  std::unordered_map<Id, typename std::list<Item>::iterator> places_;  // Guarded by mutex_.
  std::size_t weight_ = 0;                                             // Guarded by mutex_.
};

// What one thread needs to decode.
struct Scratch {
  ChunkDecoder decoder;
  Bytes encoded;
};

ObjectName pack_name(const PackId& id) { return {ObjectType::Pack, id.hex()}; }

}  // namespace

struct PackKeyring::State {
  explicit State(const Repository& r) : repository(r), keys(kKeysCached) {}
  const Repository& repository;
  Cache<PackId, Aead> keys;
};

PackKeyring::PackKeyring(const Repository& repository)
    : state_(std::make_unique<State>(repository)) {}
PackKeyring::~PackKeyring() = default;

Result<std::shared_ptr<const Aead>> PackKeyring::aead(const PackInfo& pack) {
  if (auto cached = state_->keys.get(pack.id)) return cached;
  std::array<std::byte, kPackHeaderBytes> header{};
  RangeRead read{.name = pack_name(pack.id), .offset = 0, .out = header, .status = {}};
  state_->repository.store().read_ranges({&read, 1});
  PV_TRY(read.status);
  PackInfo info = pack;
  PV_TRY_ASSIGN(Aead aead, open_pack_header(state_->repository.keys(), pack.id, header, info)
                               .context(object_path(pack_name(pack.id))));
  if (info.content != pack.content || info.cipher != pack.cipher ||
      info.key_mode != pack.key_mode) {
    return Error(ErrorCode::Corrupt,
                 object_path(pack_name(pack.id)) + ": header and index disagree");
  }
  return state_->keys.put(pack.id, std::move(aead), 1);
}

struct ChunkReader::State {
  explicit State(const Repository& repository)
      : keyring(repository), metadata(kMetadataBytesCached), bases(kBaseBytesCached) {}
  PackKeyring keyring;
  Cache<ChunkId, Bytes> metadata;
  Cache<ChunkId, Bytes> bases;
  ObjectPool<Scratch> scratch;
  std::atomic<std::uint64_t> bytes_read{0};
};

ChunkReader::ChunkReader(const Repository& repository, ChunkIndex& index)
    : repository_(&repository), index_(&index), state_(std::make_unique<State>(repository)) {}
ChunkReader::~ChunkReader() = default;

std::uint64_t ChunkReader::bytes_read() const { return state_->bytes_read.load(); }
void ChunkReader::count_read(std::uint64_t bytes) { state_->bytes_read.fetch_add(bytes); }

Status ChunkReader::decode(const BlobLocation& where, ByteView sealed, MutableBytes plain,
                           bool verify_id) {
  std::shared_ptr<const Bytes> base;
  if (has_base(where.entry.encoding)) {
    PV_TRY_ASSIGN(base, read_base(where.entry));
  }
  return decode_onto(where, sealed, base ? ByteView(*base) : ByteView(), plain, verify_id);
}

Status ChunkReader::decode_onto(const BlobLocation& where, ByteView sealed, ByteView base,
                                MutableBytes plain, bool verify_id) {
  const BlobEntry& entry = where.entry;
  PV_CHECK(plain.size() == entry.plain_bytes && sealed.size() == entry.stored_bytes);
  PV_TRY_ASSIGN(const auto aead, state_->keyring.aead(where.pack));
  const auto scratch = state_->scratch.borrow([] { return std::make_unique<Scratch>(); });
  scratch->encoded.resize(sealed.size() - kTagBytes);
  PV_TRY(unseal_blob(*aead, repository_->config().id, where, sealed, scratch->encoded)
             .context(object_path(pack_name(where.pack.id))));
  PV_TRY(scratch->decoder.decode(entry.encoding, scratch->encoded, base, plain));
  if (verify_id && repository_->keys().chunk_id(entry.type, plain) != entry.id) {
    return Error(ErrorCode::Corrupt, "chunk " + entry.id.hex(8) + " has other content than its id");
  }
  return ok();
}

// The plain bytes that a delta or dictionary blob builds on; never itself a delta (depth 1).
Result<std::shared_ptr<const Bytes>> ChunkReader::read_base(const BlobEntry& entry) {
  if (auto cached = state_->bases.get(entry.base)) return cached;
  const BlobType type = entry.type == BlobType::Metadata             ? BlobType::Metadata
                        : entry.encoding == Encoding::ZstdDictionary ? BlobType::Dictionary
                                                                     : BlobType::Data;
  PV_TRY_ASSIGN(Bytes plain, read_chunk(type, entry.base, /*as_base_of=*/&entry));
  const std::size_t weight = plain.size();
  return state_->bases.put(entry.base, std::move(plain), weight);
}

std::shared_ptr<const Bytes> ChunkReader::cached_base(const ChunkId& id) const {
  return state_->bases.get(id);
}

Result<std::shared_ptr<const Bytes>> ChunkReader::decode_base(const BlobLocation& where,
                                                              ByteView sealed) {
  if (auto cached = state_->bases.get(where.entry.id)) return cached;
  Bytes plain(where.entry.plain_bytes);
  PV_TRY(decode(where, sealed, plain, /*verify_id=*/false));
  const std::size_t weight = plain.size();
  return state_->bases.put(where.entry.id, std::move(plain), weight);
}

Result<Bytes> ChunkReader::read_at(const BlobLocation& where) {
  Bytes sealed(where.entry.stored_bytes);
  RangeRead read{
      .name = pack_name(where.pack.id), .offset = where.offset, .out = sealed, .status = {}};
  repository_->store().read_ranges({&read, 1});
  PV_TRY(read.status);
  count_read(sealed.size());
  Bytes plain(where.entry.plain_bytes);
  PV_TRY(decode(where, sealed, plain, /*verify_id=*/true));
  return plain;
}

Result<Bytes> ChunkReader::read_chunk(BlobType type, const ChunkId& id,
                                      const BlobEntry* as_base_of) {
  PV_TRY_ASSIGN(const auto places, index_->find(id));
  std::optional<Error> first;
  for (const BlobLocation& where : places) {
    if (where.entry.type != type) continue;
    // A base may be plain or use a dictionary; a dictionary is plain. So no chain is longer than 3.
    const Encoding encoding = where.entry.encoding;
    const bool too_deep =
        as_base_of != nullptr &&
        (encoding == Encoding::ZstdDelta ||
         (as_base_of->encoding == Encoding::ZstdDictionary && has_base(encoding)));
    auto plain =
        too_deep ? Result<Bytes>(Error(ErrorCode::Corrupt, "base of a base")) : read_at(where);
    if (plain) return plain;
    if (!first) first = plain.error();
  }
  if (first) return first->with_context("chunk " + id.hex(8));
  return Error(ErrorCode::NotFound, fmt::format("chunk {} is in no index", id.hex(8)));
}

Result<std::shared_ptr<const Bytes>> ChunkReader::read_metadata(const ChunkId& id) {
  if (auto cached = state_->metadata.get(id)) return cached;
  PV_TRY_ASSIGN(Bytes plain, read_chunk(BlobType::Metadata, id, nullptr));
  const std::size_t weight = plain.size() + 128;
  return state_->metadata.put(id, std::move(plain), weight);
}

Result<Bytes> ChunkReader::read_data(const ChunkId& id) {
  return read_chunk(BlobType::Data, id, nullptr);
}

Result<Bytes> ChunkReader::read_dictionary(const ChunkId& id) {
  return read_chunk(BlobType::Dictionary, id, nullptr);
}

}  // namespace pagevault::repo
