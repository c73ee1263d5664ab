// Positions in PostgreSQL's write-ahead log. docs/architecture.md, "PostgreSQL".

#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "pagevault/base/result.h"

namespace pagevault::pgsupport {

/// Byte position in the WAL stream of one timeline. Zero is no position.
struct Lsn {
  std::uint64_t value = 0;
  auto operator<=>(const Lsn&) const = default;
};

/// Branch of the WAL's history; from 1.
struct Timeline {
  std::uint32_t value = 0;
  auto operator<=>(const Timeline&) const = default;
};

/// Where a backup's WAL begins: what an incremental names of the backup it builds on.
struct WalPoint {
  Timeline timeline;
  Lsn lsn;
  bool operator==(const WalPoint&) const = default;
};

/// WAL that a backup needs before it is consistent, on one timeline.
struct WalRange {
  Timeline timeline;
  Lsn start;
  Lsn end;
  bool operator==(const WalRange&) const = default;
};

/// Two halves of 1 to 8 hex digits, as `1/6A3F0028`. Errors: InvalidArgument.
Result<Lsn> parse_lsn(std::string_view text);
/// As PostgreSQL 17 and 18 print it: `%X/%X`.
std::string to_text(Lsn lsn);

/// The name of the WAL segment that holds `lsn`: 24 upper-case hex digits. `segment_bytes`: a power
/// of two, 1 MiB..1 GiB (checked).
std::string wal_segment_name(Timeline timeline, Lsn lsn, std::uint32_t segment_bytes);
/// True for 24 upper-case hex digits.
bool is_wal_segment_name(std::string_view name);

}  // namespace pagevault::pgsupport
