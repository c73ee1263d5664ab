#include "relation_map.h"

#include <fmt/format.h>

#include "pagevault/base/codec.h"
#include "pagevault/base/crc32c.h"

namespace pagevault::pgsupport {
namespace {

constexpr std::uint32_t kRelationMapMagic = 0x592717;
constexpr std::size_t kMappingsAt = 8;
constexpr std::size_t kMappingBytes = 8;

// How many mappings a file of `length` bytes has room for; their CRC follows at once. The older
// layout has four bytes more than it needs.
std::size_t mappings_max(std::size_t length) {
  if (length == 512) return 62;
  return length == kRelationMapBytesMax ? 64 : 0;
}

Error corrupt_map(std::string_view problem) {
  return {ErrorCode::Corrupt, fmt::format("relation map: {}", problem)};
}

}  // namespace

Result<RelationMap> parse_relation_map(ByteView bytes) {
  const std::size_t count_max = mappings_max(bytes.size());
  if (count_max == 0) return corrupt_map(fmt::format("impossible length {}", bytes.size()));
  if (load_le32(bytes) != kRelationMapMagic) return corrupt_map("wrong magic");
  const std::size_t crc_at = kMappingsAt + count_max * kMappingBytes;
  if (crc32c(bytes.first(crc_at)) != load_le32(bytes.subspan(crc_at))) {
    return corrupt_map("checksum mismatch");
  }
  const std::uint32_t count = load_le32(bytes.subspan(4));
  if (count > count_max) return corrupt_map(fmt::format("impossible count {}", count));
  RelationMap out;
  for (std::size_t i = 0; i < count; ++i) {
    const ByteView mapping = bytes.subspan(kMappingsAt + i * kMappingBytes, kMappingBytes);
    out[load_le32(mapping)] = load_le32(mapping.subspan(4));
  }
  return out;
}

}  // namespace pagevault::pgsupport
