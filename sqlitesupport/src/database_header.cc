#include "pagevault/sqlitesupport/database_header.h"

#include <algorithm>

#include "pagevault/base/codec.h"

namespace pagevault::sqlitesupport {
namespace {

// "The maximum page number is 4294967294."
constexpr std::uint64_t kPageCountMax = 4294967294;

std::uint8_t header_byte(ByteView header, std::size_t offset) {
  return std::to_integer<std::uint8_t>(header[offset]);
}

std::uint32_t header_u32(ByteView header, std::size_t offset) {
  return load_be32(header.subspan(offset));
}

}  // namespace

std::optional<DatabaseHeader> parse_database_header(ByteView header) {
  const auto page_size = sqlite_page_size(header);
  if (!page_size) return std::nullopt;
  return DatabaseHeader{.page_size = *page_size,
                        .write_version = header_byte(header, 18),
                        .read_version = header_byte(header, 19),
                        .reserved_bytes = header_byte(header, 20),
                        .change_counter = header_u32(header, 24),
                        .page_count = header_u32(header, 28),
                        .schema_cookie = header_u32(header, 40),
                        .user_version = header_u32(header, 60),
                        .application_id = header_u32(header, 68),
                        .version_valid_for = header_u32(header, 92)};
}

std::uint32_t page_count_of(const DatabaseHeader& header, std::uint64_t file_bytes) {
  PV_CHECK(header.page_size != 0);
  if (header.page_count != 0 && header.change_counter == header.version_valid_for) {
    return header.page_count;
  }
  const std::uint64_t pages =
      file_bytes / header.page_size + (file_bytes % header.page_size == 0 ? 0 : 1);
  return static_cast<std::uint32_t>(std::min(pages, kPageCountMax));
}

}  // namespace pagevault::sqlitesupport
