#include "pagevault/repo/index_loader.h"

#include <algorithm>

namespace pagevault::repo {

namespace {

ObjectName index_name(const IndexId& id) { return {ObjectType::Index, id.hex()}; }

Result<IndexObject> read_index_object(const Repository& repository, const IndexId& id) {
  PV_TRY_ASSIGN(const Bytes body, repository.read_object(index_name(id)));
  return decode_index_object(body).context(object_path(index_name(id)));
}

Result<std::set<IndexId>> list_index_ids(const Repository& repository) {
  PV_TRY_ASSIGN(const Listing listing, repository.store().list(ObjectType::Index));
  std::set<IndexId> ids;
  for (const ObjectInfo& object : listing.objects) {
    const auto id = IndexId::from_hex(object.name.hex);
    PV_CHECK(id.has_value());  // The store lists exact names only.
    ids.insert(*id);
  }
  return ids;
}

// What `index` has applied, or nothing after a reset when it cannot say or knows objects that the
// store has not: then it may name packs that were never or are no longer there (F5.8).
Result<std::set<IndexId>> applied_and_listed(ChunkIndex& index, const std::set<IndexId>& listed,
                                             bool& rebuilt) {
  auto applied = index.applied();
  const bool usable =
      applied && std::includes(listed.begin(), listed.end(), applied->begin(), applied->end());
  if (usable) return applied;
  rebuilt = true;
  PV_TRY(index.reset());
  return std::set<IndexId>{};
}

// Drops from `damaged` what a healthy object says it replaces: `repair index` wrote those.
Status forget_replaced(const Repository& repository, const std::set<IndexId>& listed,
                       std::vector<IndexLoad::Damaged>& damaged) {
  std::set<std::string> replaced;
  for (const IndexId& id : listed) {
    const auto object = read_index_object(repository, id);
    if (!object) continue;
    for (const IndexId& old : object->replaces) replaced.insert(old.hex());
  }
  std::erase_if(damaged, [&](const auto& d) { return replaced.contains(d.name.hex); });
  return ok();
}

// Up to so many packs are asked for one by one. A listing opens and reads 256 folders and asks each
// name for its length, three calls and more a folder: up to here it is never less work, near or
// far.
constexpr std::size_t kPacksAskedFor = 1024;

Result<bool> all_are_there(Store& store, std::span<const PackInfo> packs) {
  for (const PackInfo& pack : packs) {
    const auto info = store.stat({ObjectType::Pack, pack.id.hex()});
    if (!info && info.error().code() != ErrorCode::NotFound) return info.error();
    if (!info || info->bytes != pack.file_bytes) return false;
  }
  return true;
}

}  // namespace

Result<IndexLoad> load_index(const Repository& repository, ChunkIndex& index) {
  PV_TRY_ASSIGN(const std::set<IndexId> listed, list_index_ids(repository));
  IndexLoad load;
  PV_TRY_ASSIGN(const std::set<IndexId> applied, applied_and_listed(index, listed, load.rebuilt));
  load.objects = listed.size();
  load.from_scratch = applied.empty();
  for (const IndexId& id : listed) {
    if (applied.contains(id)) continue;
    const auto object = read_index_object(repository, id);
    if (!object) {
      load.damaged.push_back({index_name(id), object.error()});
      continue;
    }
    PV_TRY(index.apply(id, *object));
    ++load.applied;
  }
  if (!load.damaged.empty()) PV_TRY(forget_replaced(repository, listed, load.damaged));
  if (load.applied > 0) index.flush().ignore("the cache is a hint; the next run applies it again");
  return load;
}

Result<PackPresence> list_packs(const Repository& repository) {
  PV_TRY_ASSIGN(const Listing listing, repository.store().list(ObjectType::Pack));
  PackPresence packs;
  packs.reserve(listing.objects.size());
  for (const ObjectInfo& object : listing.objects) {
    const auto id = PackId::from_hex(object.name.hex);
    PV_CHECK(id.has_value());  // The store lists exact names only.
    packs.emplace(*id, object.bytes);
  }
  return packs;
}

Result<std::vector<PackInfo>> missing_packs(const Repository& repository, ChunkIndex& index) {
  std::vector<PackInfo> packs;
  PV_TRY(index.for_each_pack([&packs](const PackInfo& pack) { packs.push_back(pack); }));
  if (packs.size() <= kPacksAskedFor) {
    PV_TRY_ASSIGN(const bool all, all_are_there(repository.store(), packs));
    if (all) return std::vector<PackInfo>();
  }
  // Only a listing tells a lost pack from a lost folder.
  PV_TRY_ASSIGN(const PackPresence present, list_packs(repository));
  std::erase_if(packs, [&present](const PackInfo& pack) {
    const auto found = present.find(pack.id);
    return found != present.end() && found->second == pack.file_bytes;
  });
  return packs;
}

}  // namespace pagevault::repo
