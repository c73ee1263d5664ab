// The index in memory: what the RocksDB index does, in the plainest way. Both pass one suite.

#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <unordered_set>

#include "pagevault/repo/chunk_index.h"
#include "pagevault/repo/pack_reader.h"

namespace pagevault::repo {

namespace {

class MemoryIndex final : public ChunkIndex {
 public:
  Result<std::vector<BlobLocation>> find(const ChunkId& id) override {
    const std::shared_lock lock(mutex_);
    std::vector<BlobLocation> out;
    const auto found = places_.find(id);
    if (found == places_.end()) return out;
    for (const Place& place : found->second) out.push_back(location_of(place));
    return out;
  }

  Result<bool> contains(const ChunkId& id) override {
    const std::shared_lock lock(mutex_);
    return places_.contains(id);
  }

  Status apply(const IndexId& id, const IndexObject& object) override {
    const std::unique_lock lock(mutex_);
    if (!applied_.insert(id).second) return ok();
    for (const PackDirectory& pack : object.packs) add_pack(pack);
    return ok();
  }

  Result<bool> knows_pack(const PackId& id) override {
    const std::shared_lock lock(mutex_);
    return known_packs_.contains(id);
  }

  Result<std::set<IndexId>> applied() override {
    const std::shared_lock lock(mutex_);
    return applied_;
  }

  Status for_each_pack(const std::function<void(const PackInfo&)>& visit) override {
    const std::shared_lock lock(mutex_);
    for (const PackInfo& pack : packs_) visit(pack);
    return ok();
  }

  Status for_each_blob(const std::function<void(const BlobLocation&)>& visit) override {
    const std::shared_lock lock(mutex_);
    for (const auto& [id, places] : places_) {
      for (const Place& place : places) visit(location_of(place));
    }
    return ok();
  }

  Status reset() override {
    const std::unique_lock lock(mutex_);
    places_.clear();
    packs_.clear();
    known_packs_.clear();
    applied_.clear();
    return ok();
  }

  Status flush() override { return ok(); }

 private:
  struct Place {
    std::size_t pack = 0;  // In packs_.
    std::uint32_t ordinal = 0;
    std::uint64_t offset = 0;
    BlobEntry entry;
  };

  BlobLocation location_of(const Place& place) const {
    return {packs_[place.pack], place.ordinal, place.offset, place.entry};
  }

  // A pack never changes, so one that is known (from the object that a merged one replaces) adds
  // nothing.
  void add_pack(const PackDirectory& pack) {
    if (!known_packs_.insert(pack.info.id).second) return;
    packs_.push_back(pack.info);
    repo::for_each_blob(pack, [this](const BlobLocation& where) {
      places_[where.entry.id].push_back(
          {packs_.size() - 1, where.ordinal, where.offset, where.entry});
    });
  }

  std::shared_mutex mutex_;
  // Guarded by mutex_.
  std::unordered_map<ChunkId, std::vector<Place>> places_;
  std::vector<PackInfo> packs_;
  std::unordered_set<PackId> known_packs_;
  std::set<IndexId> applied_;
};

}  // namespace

std::unique_ptr<ChunkIndex> make_memory_index() { return std::make_unique<MemoryIndex>(); }

}  // namespace pagevault::repo
