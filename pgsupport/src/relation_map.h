// pg_filenode.map: which file the catalogs have that no row of pg_class can tell.
// Source: PostgreSQL, src/backend/utils/cache/relmapper.c.

#pragma once

#include <cstdint>
#include <map>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"

namespace pagevault::pgsupport {

/// Relation OID -> file number.
using RelationMap = std::map<std::uint32_t, std::uint32_t>;

inline constexpr std::size_t kRelationMapBytesMax = 524;

/// Both layouts: 512 bytes up to PostgreSQL 15, 524 from 16 on. Errors: Corrupt (magic, length,
/// count, CRC).
Result<RelationMap> parse_relation_map(ByteView bytes);

}  // namespace pagevault::pgsupport
