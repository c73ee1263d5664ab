#include "pagevault/sqlitesupport/wal_index_header.h"

#include <bit>

#include "pagevault/base/codec.h"
#include "pagevault/sqlitesupport/wal_format.h"

namespace pagevault::sqlitesupport {
namespace {

constexpr std::uint32_t kIndexVersion = 3007000;
constexpr std::size_t kCopyBytes = 48;
constexpr std::size_t kSummedBytes = 40;
constexpr std::size_t kIsFilledAt = 12;
constexpr std::size_t kShortPageSizeAt = 14;
constexpr std::size_t kBackfilledAt = 2 * kCopyBytes;

// The machine's own order is not asked for: the version number tells, and tests run anywhere.
struct NativeWords {
  ByteView bytes;
  bool big_endian = false;

  std::uint32_t u32(std::size_t offset) const {
    return big_endian ? load_be32(bytes.subspan(offset)) : load_le32(bytes.subspan(offset));
  }
  std::uint32_t u16(std::size_t offset) const {
    return big_endian ? load_be16(bytes.subspan(offset)) : load_le16(bytes.subspan(offset));
  }
};

// 65536 does not fit 16 bits: its upper half is added below.
std::uint32_t full_page_size(std::uint32_t stored) {
  return (stored & 0xFE00U) | ((stored & 0x0001U) << 16U);
}

bool is_page_size(std::uint32_t size) {
  return size >= 512 && size <= 65536 && std::has_single_bit(size);
}

bool is_intact(ByteView copy, const NativeWords& words) {
  if (std::to_integer<unsigned>(copy[kIsFilledAt]) == 0) return false;
  return wal_checksum({}, copy.first(kSummedBytes), words.big_endian) ==
         WalChecksum{words.u32(40), words.u32(44)};
}

}  // namespace

std::optional<WalIndexHead> parse_wal_index_head(ByteView head) {
  if (head.size() < kWalIndexHeadBytes) return std::nullopt;
  const ByteView copy = head.first(kCopyBytes);
  if (!equal_bytes(copy, head.subspan(kCopyBytes, kCopyBytes))) return std::nullopt;
  const NativeWords words{.bytes = head, .big_endian = load_be32(head) == kIndexVersion};
  if (words.u32(0) != kIndexVersion || !is_intact(copy, words)) return std::nullopt;
  // Salts are copied from the log byte by byte, whatever the machine's order.
  const WalIndexHeader header{.change = words.u32(8),
                              .page_size = full_page_size(words.u16(kShortPageSizeAt)),
                              .frames = words.u32(16),
                              .page_count = words.u32(20),
                              .salt = {load_be32(head.subspan(32)), load_be32(head.subspan(36))},
                              .checksum = {words.u32(24), words.u32(28)}};
  if (header.frames > 0 && !is_page_size(header.page_size)) return std::nullopt;
  const std::uint32_t backfilled = words.u32(kBackfilledAt);
  return WalIndexHead{.header = header, .backfilled = backfilled};
}

}  // namespace pagevault::sqlitesupport
