// What a snapshot of a PostgreSQL cluster knows of it beside its files. docs/format.md, 3
// "PostgreSQL record". Pure codec; the decoder takes untrusted bytes. Numbers as PostgreSQL has
// them; only their layout is known here.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"

namespace pagevault::repo {

/// WAL needed for consistency, on one timeline.
struct PostgresWalRange {
  std::uint32_t timeline = 0;
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  bool operator==(const PostgresWalRange&) const = default;
};

struct PostgresTablespace {
  std::uint32_t oid = 0;
  std::string
      location;  ///< Absolute at the source; empty: in place, a folder of the data directory.
  bool operator==(const PostgresTablespace&) const = default;
};

/// A place where the files may not be what the server had: pages whose checksum failed (kept by
/// --accept-damaged), or a relation that the server's incremental may have wrong.
struct PostgresDoubt {
  enum class Kind : std::uint8_t {
    DamagedPages = 1,
    TruncatedInParentInterval = 2,
    DamagedFile = 3
  };
  Kind kind = Kind::DamagedPages;
  std::string path;         ///< Relative to the data directory.
  std::uint64_t count = 0;  ///< Of pages; 0 when that says nothing.
  bool operator==(const PostgresDoubt&) const = default;
};

struct PostgresRecord {
  std::uint64_t system_identifier = 0;
  std::uint32_t major_version = 0;   ///< 13..18
  std::uint32_t server_version = 0;  ///< As 170005; 0: files do not tell.
  std::uint32_t catalog_version = 0;
  std::uint32_t timeline = 0;                ///< START TIMELINE
  std::uint64_t start_lsn = 0;               ///< START WAL LOCATION
  std::uint64_t end_lsn = 0;                 ///< Of the newest range; 0: not known (no manifest).
  std::vector<PostgresWalRange> wal_ranges;  ///< Newest timeline first; at most 1024.
  std::uint32_t block_bytes = 0;
  std::uint32_t segment_blocks = 0;
  std::uint32_t wal_segment_bytes = 0;
  bool data_checksums = false;
  bool from_standby = false;
  bool wal_included = false;  ///< All WAL of wal_ranges is in pg_wal: starts without an archive.
  bool group_access = false;  ///< Modes 0750 and 0640 instead of 0700 and 0600.
  bool incremental = false;   ///< Came as an incremental; the snapshot is a full one all the same.
  std::optional<std::uint64_t> blocks_changed;  ///< Received in INCREMENTAL files.
  std::vector<PostgresTablespace> tablespaces;  ///< OIDs ascending; at most 65,536.
  std::vector<PostgresDoubt> doubts;            ///< At most 4,096; the rest is only counted.
  std::uint64_t doubts_more = 0;
  bool operator==(const PostgresRecord&) const = default;
};

/// InvalidArgument when the format cannot hold `record` (limits, order).
Status check_postgres_record(const PostgresRecord& record);
/// Precondition (checked): check_postgres_record.
Bytes encode_postgres_record(const PostgresRecord& record);
/// Errors: Corrupt, Unsupported (unknown critical fields).
Result<PostgresRecord> decode_postgres_record(ByteView bytes);

}  // namespace pagevault::repo
