// The fields of global/pg_control that a backup goes by.

#pragma once

#include <cstdint>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"
#include "pagevault/pgsupport/lsn.h"

namespace pagevault::pgsupport {

struct ControlFile {
  std::uint64_t system_identifier = 0;
  std::uint32_t control_version = 0;
  std::uint32_t catalog_version = 0;
  std::uint32_t state = 0;  ///< 1 shut down, 5 in archive recovery, 6 in production.
  Lsn checkpoint;
  Lsn redo;  ///< Of that checkpoint.
  Timeline timeline;
  Lsn min_recovery_point;
  std::uint32_t block_bytes = 0;     ///< A power of two, 1024..32768.
  std::uint32_t segment_blocks = 0;  ///< Blocks of a relation segment, 1..kSegmentBlocksMax.
  std::uint32_t wal_segment_bytes = 0;
  std::uint32_t data_checksum_version = 0;  ///< 0: pages have no checksums.
};

/// Known layouts: PostgreSQL 13 to 18, little-endian, 64 bits. Errors: Corrupt (length, CRC,
/// impossible sizes); Unsupported (another version or byte order).
/// Source: PostgreSQL, src/include/catalog/pg_control.h.
Result<ControlFile> parse_control_file(ByteView bytes);

}  // namespace pagevault::pgsupport
