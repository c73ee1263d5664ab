// The write-ahead log of a SQLite database: a header, then frames, each a header and one page.
// Integers are big-endian. Source: "WAL-mode File Format", section 2; "Database File Format",
// section 4 (sqlite.org).

#pragma once

#include <array>
#include <cstdint>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"

namespace pagevault::sqlitesupport {

inline constexpr std::size_t kWalHeaderBytes = 32;
inline constexpr std::size_t kWalFrameHeaderBytes = 24;

/// Two sums of the header's first 24 bytes, then, going on from there, of the first 8 bytes of each
/// frame's header and its page.
using WalChecksum = std::array<std::uint32_t, 2>;

struct WalHeader {
  bool big_endian_checksums = false;  ///< Byte order of the words that are summed.
  std::uint32_t page_size = 0;        ///< Bytes, a power of two, 512..65536.
  std::uint32_t checkpoint_sequence = 0;
  std::array<std::uint32_t, 2> salt{};  ///< New whenever the log starts again.
  WalChecksum checksum{};
};

struct WalFrameHeader {
  std::uint32_t page = 0;          ///< From 1; 0 is never right.
  std::uint32_t commit_pages = 0;  ///< Length of the database in the last frame of a transaction.
  std::array<std::uint32_t, 2> salt{};
  WalChecksum checksum{};
};

/// Errors: Corrupt (short, other magic or version, no page size, wrong checksum).
Result<WalHeader> parse_wal_header(ByteView bytes);

/// `bytes` has at least kWalFrameHeaderBytes. Any bytes are a frame header: that it belongs to the
/// log is for the salts and the checksum to say.
WalFrameHeader parse_wal_frame_header(ByteView bytes);

/// Goes on from `sum` over `bytes`, a multiple of 8.
WalChecksum wal_checksum(WalChecksum sum, ByteView bytes, bool big_endian);

/// Where the header of frame `frame` (from 1) stands; its page follows.
constexpr std::uint64_t wal_frame_offset(std::uint32_t frame, std::uint32_t page_size) {
  return kWalHeaderBytes +
         (std::uint64_t{frame} - 1) * (kWalFrameHeaderBytes + std::uint64_t{page_size});
}

}  // namespace pagevault::sqlitesupport
