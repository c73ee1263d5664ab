#include "pagevault/sqlitesupport/page_size.h"

#include <algorithm>
#include <bit>
#include <string_view>

namespace pagevault::sqlitesupport {
namespace {

// With its terminating zero: 16 bytes.
constexpr std::string_view kMagic{"SQLite format 3\0", 16};

// Offsets of the header's fields; integers are big-endian.
constexpr std::size_t kPageSizeAt = 16;
constexpr std::size_t kReservedPerPageAt = 20;
constexpr std::size_t kPayloadFractionsAt = 21;
constexpr std::size_t kExpansionAt = 72;
constexpr std::size_t kExpansionBytes = 20;

// "The usable size is not allowed to be less than 480."
constexpr std::uint32_t kUsableMin = 480;

std::uint32_t byte_at(ByteView header, std::size_t offset) {
  return std::to_integer<std::uint32_t>(header[offset]);
}

bool has_fixed_fields(ByteView header) {
  return as_text(header.first(kMagic.size())) == kMagic &&
         byte_at(header, kPayloadFractionsAt) == 64 &&      // Maximum embedded payload fraction.
         byte_at(header, kPayloadFractionsAt + 1) == 32 &&  // Minimum.
         byte_at(header, kPayloadFractionsAt + 2) == 32 &&  // Leaf.
         is_all_zero(header.subspan(kExpansionAt, kExpansionBytes));
}

}  // namespace

// The read and write versions (18, 19) are not looked at: a database of a newer version still has
// pages of this size.
std::optional<std::uint32_t> sqlite_page_size(ByteView header) {
  if (header.size() < kHeaderBytes || !has_fixed_fields(header)) return std::nullopt;
  const std::uint32_t stored = byte_at(header, kPageSizeAt) << 8 | byte_at(header, kPageSizeAt + 1);
  const std::uint32_t size = stored == 1 ? 65536 : stored;
  if (size < 512 || !std::has_single_bit(size)) return std::nullopt;
  if (size - byte_at(header, kReservedPerPageAt) < kUsableMin) return std::nullopt;
  return size;
}

}  // namespace pagevault::sqlitesupport
