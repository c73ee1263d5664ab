// WAL summary files (pg_wal/summaries, PostgreSQL 17 and later): where relations were truncated.
// Source: PostgreSQL, src/common/blkreftable.c, src/backend/backup/walsummary.c.

#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"
#include "pagevault/pgsupport/lsn.h"

namespace pagevault::pgsupport {

/// One fork of one relation; OIDs, relation 0 stands for a whole database.
struct RelationFork {
  std::uint32_t tablespace = 0;
  std::uint32_t database = 0;
  std::uint32_t relation = 0;
  std::uint32_t fork = 0;  ///< 0 main, 1 free space map, 2 visibility map, 3 init.
  auto operator<=>(const RelationFork&) const = default;
};

/// A fork was shortened to (or created with) `block` blocks.
struct LimitBlock {
  RelationFork fork;
  std::uint32_t block = 0;
};

/// True for a truncation after which stock incrementals may be wrong: main or visibility map, above
/// block 0 (docs/postgres.md, "Defects of servers").
bool is_at_risk(const LimitBlock& limit);

/// Timeline and WAL that a summary file covers, from its name.
std::optional<WalRange> parse_wal_summary_name(std::string_view name);

/// The limit blocks in one summary file, in its order. Memory: of the answer. Errors: Corrupt
/// (magic, order, lengths, CRC).
Result<std::vector<LimitBlock>> read_limit_blocks(ByteView summary);

}  // namespace pagevault::pgsupport
