#include "stream_crc.h"

#include <algorithm>

#include "pagevault/base/crc32c.h"

namespace pagevault::engine {

namespace {

// The register starts and ends inverted, so zeros are not without effect.
std::uint32_t crc32c_of_zeros(std::uint64_t length) {
  constexpr std::uint32_t kInverted = 0xFFFFFFFF;
  return crc32c_combine(kInverted, kInverted, length);
}

}  // namespace

std::uint32_t crc32c_of(const repo::SpanNode& span) {
  std::uint32_t crc = 0;
  for (const repo::Extent& extent : span) {
    const std::uint32_t next = extent.hole ? crc32c_of_zeros(extent.length) : extent.crc32c;
    crc = crc32c_combine(crc, next, extent.length);
  }
  return crc;
}

Result<std::uint32_t> crc32c_of(MapReader& map,
                                const std::vector<std::optional<std::uint32_t>>& known) {
  std::uint32_t crc = 0;
  for (std::uint64_t span = 0; span < map.spans(); ++span) {
    std::uint32_t next = 0;
    if (span < known.size() && known[span]) {
      next = *known[span];
    } else {
      PV_TRY_ASSIGN(const repo::SpanNode node, map.span(span));
      next = crc32c_of(node);
    }
    crc = crc32c_combine(crc, next, map.span_length(span));
  }
  return crc;
}

}  // namespace pagevault::engine
