#include "pagevault/sqlitesupport/wal_format.h"

#include <fmt/format.h>

#include <bit>

#include "pagevault/base/codec.h"

namespace pagevault::sqlitesupport {
namespace {

// The lowest bit says in which byte order words are summed.
constexpr std::uint32_t kWalMagic = 0x377F0682;
constexpr std::uint32_t kWalVersion = 3007000;
constexpr std::size_t kWalSummedBytes = 24;

Error wal_header_error(std::string_view problem) {
  return {ErrorCode::Corrupt, fmt::format("header of the write-ahead log: {}", problem)};
}

std::array<std::uint32_t, 2> two_words(ByteView bytes) {
  return {load_be32(bytes), load_be32(bytes.subspan(4))};
}

}  // namespace

Result<WalHeader> parse_wal_header(ByteView bytes) {
  if (bytes.size() < kWalHeaderBytes) {
    return wal_header_error(fmt::format("{} of {} bytes", bytes.size(), kWalHeaderBytes));
  }
  const std::uint32_t magic = load_be32(bytes);
  if ((magic & ~1U) != kWalMagic) return wal_header_error(fmt::format("magic {:08x}", magic));
  const std::uint32_t version = load_be32(bytes.subspan(4));
  if (version != kWalVersion) return wal_header_error(fmt::format("version {}", version));
  const WalHeader header{.big_endian_checksums = (magic & 1U) != 0,
                         .page_size = load_be32(bytes.subspan(8)),
                         .checkpoint_sequence = load_be32(bytes.subspan(12)),
                         .salt = two_words(bytes.subspan(16)),
                         .checksum = two_words(bytes.subspan(24))};
  if (header.page_size < 512 || header.page_size > 65536 ||
      !std::has_single_bit(header.page_size)) {
    return wal_header_error(fmt::format("page size {}", header.page_size));
  }
  if (wal_checksum({}, bytes.first(kWalSummedBytes), header.big_endian_checksums) !=
      header.checksum) {
    return wal_header_error("wrong checksum");
  }
  return header;
}

WalFrameHeader parse_wal_frame_header(ByteView bytes) {
  PV_CHECK(bytes.size() >= kWalFrameHeaderBytes);
  return {.page = load_be32(bytes),
          .commit_pages = load_be32(bytes.subspan(4)),
          .salt = two_words(bytes.subspan(8)),
          .checksum = two_words(bytes.subspan(16))};
}

WalChecksum wal_checksum(WalChecksum sum, ByteView bytes, bool big_endian) {
  PV_CHECK(bytes.size() % 8 == 0);
  const auto load = big_endian ? load_be32 : load_le32;
  for (std::size_t i = 0; i < bytes.size(); i += 8) {
    sum[0] += load(bytes.subspan(i)) + sum[1];
    sum[1] += load(bytes.subspan(i + 4)) + sum[0];
  }
  return sum;
}

}  // namespace pagevault::sqlitesupport
