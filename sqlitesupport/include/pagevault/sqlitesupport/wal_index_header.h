// The head of a -shm file, the index of a write-ahead log that all connections share: how far the
// log is valid, and how much of it the database file holds already.
//
// Two copies of the header, so that a reader sees a half-written one; then the state of
// checkpoints. In the byte order of the machine that wrote it. Source: "WAL-mode File Format",
// section 2 (sqlite.org/walformat.html).

#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "pagevault/base/bytes.h"

namespace pagevault::sqlitesupport {

inline constexpr std::size_t kWalIndexHeadBytes = 136;

struct WalIndexHeader {
  std::uint32_t change = 0;                 ///< One more with each transaction.
  std::uint32_t page_size = 0;              ///< Bytes, a power of two, 512..65536; 0: log is empty.
  std::uint32_t frames = 0;                 ///< Valid ones in the log.
  std::uint32_t page_count = 0;             ///< Of the database; 0 when the log says nothing of it.
  std::array<std::uint32_t, 2> salt{};      ///< As in the log's header, or what it will be.
  std::array<std::uint32_t, 2> checksum{};  ///< Of the last valid frame; stale when there is none.
  bool operator==(const WalIndexHeader&) const = default;
};

struct WalIndexHead {
  WalIndexHeader header;
  std::uint32_t backfilled = 0;  ///< Frames 1..backfilled are in the database file.
};

/// Nothing while a writer is at it or crashed there: the copies differ, a checksum is wrong, it was
/// never filled, or is shorter than kWalIndexHeadBytes. Reading again, or recovery by SQLite,
/// helps. Accepts hostile input. Never fails.
std::optional<WalIndexHead> parse_wal_index_head(ByteView head);

}  // namespace pagevault::sqlitesupport
