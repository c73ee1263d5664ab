#include "catalog_scan.h"

namespace pagevault::pgsupport {

Result<RelationMap> read_relation_map(const CatalogFileReader& read, const std::string& folder) {
  PV_TRY_ASSIGN(const auto bytes,
                read_small_file(read, folder + "/pg_filenode.map", kRelationMapBytesMax));
  if (!bytes) return RelationMap();
  auto map = parse_relation_map(*bytes);
  return map ? std::move(map).value() : RelationMap();
}

std::uint32_t mapped_file(const RelationMap& map, std::uint32_t oid) {
  const auto found = map.find(oid);
  return found == map.end() ? 0 : found->second;
}

}  // namespace pagevault::pgsupport
