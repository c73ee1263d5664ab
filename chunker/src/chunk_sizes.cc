#include "pagevault/chunker/chunk_sizes.h"

#include <fmt/format.h>

namespace pagevault::chunker {

Status check_chunk_sizes(const ChunkSizes& sizes) {
  constexpr std::uint32_t kMinLowest = 64;  // The window of the gear hash.
  if (kMinLowest <= sizes.min && sizes.min <= sizes.target && sizes.target <= sizes.max &&
      sizes.max <= kChunkBytesMax) {
    return ok();
  }
  return Error(ErrorCode::InvalidArgument,
               fmt::format("chunk sizes {}/{}/{}: not 64 <= min <= target <= max <= {}", sizes.min,
                           sizes.target, sizes.max, kChunkBytesMax));
}

}  // namespace pagevault::chunker
