// Reading rows of a catalog, whichever of their versions may count.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "catalog_file.h"
#include "catalog_rows.h"
#include "relation_map.h"
#include "row_standing.h"
#include "transaction_log.h"

namespace pagevault::pgsupport {

/// With what the catalogs of a data directory are read.
struct CatalogAccess {
  CatalogLayout layout;
  std::uint32_t block_bytes = 0;
  CatalogFileReader read;
  TransactionLog log;
};

/// Tells which of several versions of a row counts.
struct RowVersion {
  RowStanding standing = RowStanding::Dead;
  std::uint32_t xmin = 0;

  /// Live ones do, else the newest.
  bool beats(const RowVersion& other) const {
    if (standing != other.standing) return standing > other.standing;
    // Transaction numbers wrap around: what is less than half of them ahead is newer.
    return static_cast<std::int32_t>(xmin - other.xmin) > 0;
  }
};

inline constexpr std::uint64_t kCatalogBytesMax = 4 * kGiB;

/// `keep(row, version)` for each version of the rows in the catalog at `path` that `parse(tuple)`
/// makes something of, but for dead ones. Errors: of the reader.
template <class Parse, class Keep>
Status visit_rows(CatalogAccess& access, const std::string& path, const Parse& parse,
                  const Keep& keep) {
  const auto visit = [&](const HeapTuple& tuple) -> Status {
    auto row = parse(tuple);
    if (!row) return ok();
    PV_TRY_ASSIGN(const RowStanding standing, standing_of(tuple, access.log));
    if (standing == RowStanding::Dead) return ok();
    keep(std::move(*row), RowVersion{.standing = standing, .xmin = tuple.xmin});
    return ok();
  };
  return visit_blocks(access.read, path, access.block_bytes, kCatalogBytesMax,
                      [&](ByteView page) { return visit_tuples(page, visit); });
}

/// Of `folder`; empty when it is not there or damaged. Errors: of the reader.
Result<RelationMap> read_relation_map(const CatalogFileReader& read, const std::string& folder);

/// 0: not in the map.
std::uint32_t mapped_file(const RelationMap& map, std::uint32_t oid);

}  // namespace pagevault::pgsupport
