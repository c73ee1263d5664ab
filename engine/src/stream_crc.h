// The CRC-32C of mapped bytes from that of their extents: nothing is read but the map.

#pragma once

#include <optional>
#include <vector>

#include "pagevault/engine/tree.h"
#include "pagevault/repo/file_map.h"

namespace pagevault::engine {

/// Of all bytes of the span.
std::uint32_t crc32c_of(const repo::SpanNode& span);

/// Of all bytes of `map`. `known`: what is known of its spans already, as many or fewer; the others
/// are read from the map. Errors: of the repository.
Result<std::uint32_t> crc32c_of(MapReader& map,
                                const std::vector<std::optional<std::uint32_t>>& known);

}  // namespace pagevault::engine
