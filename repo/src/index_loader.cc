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

}  // namespace pagevault::repo
