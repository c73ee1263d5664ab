#include "database_names.h"

#include <fmt/format.h>

#include <algorithm>

namespace pagevault::pgsupport {
namespace {

constexpr std::size_t kRelationsMax = std::size_t{1} << 21U;
constexpr std::size_t kSchemasMax = std::size_t{1} << 20U;

}  // namespace

Result<DatabaseNames> DatabaseNames::read(CatalogAccess& access, const DatabasePlace& place,
                                          const RelationMap& shared) {
  DatabaseNames out;
  out.database_ = place.name;
  PV_TRY_ASSIGN(const RelationMap local, read_relation_map(access.read, place.folder));
  PV_TRY(out.read_classes(access, place, local, shared));
  out.keep_best();
  out.find_toast_owners();
  PV_TRY(out.read_schemas(access, place.folder));
  return out;
}

Status DatabaseNames::read_classes(CatalogAccess& access, const DatabasePlace& place,
                                   const RelationMap& local, const RelationMap& shared) {
  const std::uint32_t file = mapped_file(local, kClassCatalog);
  if (file == 0) return ok();
  const auto keep = [&](ClassRow row, const RowVersion& version) {
    const bool is_shared = row.tablespace == kGlobalTablespace;
    if (row.file == 0) row.file = mapped_file(is_shared ? shared : local, row.oid);
    if (row.file == 0 || relations_.size() == kRelationsMax) return;
    if (row.tablespace == 0) row.tablespace = place.tablespace;
    relations_.push_back({.row = std::move(row), .version = version});
  };
  return visit_rows(
      access, fmt::format("{}/{}", place.folder, file),
      [&](const HeapTuple& tuple) { return class_row(tuple, access.layout); }, keep);
}

void DatabaseNames::keep_best() {
  std::ranges::stable_sort(relations_, {}, &Relation::key);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < relations_.size(); ++i) {
    if (kept > 0 && relations_[kept - 1].key() == relations_[i].key()) {
      if (!relations_[i].version.beats(relations_[kept - 1].version)) continue;
      --kept;
    }
    if (kept != i) relations_[kept] = std::move(relations_[i]);
    ++kept;
  }
  relations_.resize(kept);
  relations_.shrink_to_fit();
}

void DatabaseNames::find_toast_owners() {
  for (std::size_t i = 0; i < relations_.size(); ++i) {
    const std::uint32_t toast = relations_[i].row.toast;
    if (toast != 0) toast_owners_.push_back({toast, static_cast<std::uint32_t>(i)});
  }
  std::ranges::stable_sort(toast_owners_, {}, &ToastOwner::toast);
}

// Its row is of a database's own catalog, and not in the relation map.
std::optional<std::uint32_t> DatabaseNames::namespace_file() const {
  const Relation* best = nullptr;
  for (const Relation& relation : relations_) {
    if (relation.row.oid != kNamespaceCatalog) continue;
    if (best == nullptr || relation.version.beats(best->version)) best = &relation;
  }
  if (best == nullptr) return std::nullopt;
  return best->row.file;
}

Status DatabaseNames::read_schemas(CatalogAccess& access, const std::string& folder) {
  const auto file = namespace_file();
  if (!file) return ok();
  const auto keep = [&](NamespaceRow row, const RowVersion& version) {
    if (schemas_.size() == kSchemasMax) return;
    const auto [at, is_new] = schemas_.try_emplace(row.oid);
    if (!is_new && !version.beats(at->second.version)) return;
    at->second = {.name = std::move(row.name), .version = version};
  };
  return visit_rows(access, fmt::format("{}/{}", folder, *file), namespace_row, keep);
}

std::string DatabaseNames::schema_name(std::uint32_t oid) const {
  const auto found = schemas_.find(oid);
  return found == schemas_.end() ? "" : found->second.name;
}

std::string DatabaseNames::owner_of_toast(std::uint32_t oid) const {
  const auto found = std::ranges::lower_bound(toast_owners_, oid, {}, &ToastOwner::toast);
  if (found == toast_owners_.end() || found->toast != oid) return "";
  const ClassRow& owner = relations_[found->relation].row;
  return fmt::format("{}.{}", schema_name(owner.schema), owner.name);
}

std::optional<RelationName> DatabaseNames::find(std::uint32_t tablespace,
                                                std::uint32_t file) const {
  const std::uint64_t key = std::uint64_t{tablespace} << 32U | file;
  const auto found = std::ranges::lower_bound(relations_, key, {}, &Relation::key);
  if (found == relations_.end() || found->key() != key) return std::nullopt;
  const ClassRow& row = found->row;
  return RelationName{.database = tablespace == kGlobalTablespace ? "" : database_,
                      .schema = schema_name(row.schema),
                      .name = row.name,
                      .kind = row.kind,
                      .toast_of = row.kind == 't' ? owner_of_toast(row.oid) : ""};
}

}  // namespace pagevault::pgsupport
