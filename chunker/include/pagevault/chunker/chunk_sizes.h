// Size bounds of chunks, shared by both chunkers. Stored in the repository config.

#pragma once

#include <cstdint>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"

namespace pagevault::chunker {

/// Bytes of plaintext. The last chunk of a stream or span may be shorter than min.
struct ChunkSizes {
  std::uint32_t min = 16 * kKiB;
  std::uint32_t target = 64 * kKiB;  ///< The mean on random data lies within a few per cent of it.
  std::uint32_t max = 256 * kKiB;

  bool operator==(const ChunkSizes&) const = default;
};

/// Defaults of a new repository (docs/adr/0003-chunk-and-frame-sizes.md).
inline constexpr ChunkSizes kStreamChunkSizes{};
inline constexpr ChunkSizes kPageChunkSizes{
    .min = 32 * kKiB, .target = 64 * kKiB, .max = 128 * kKiB};

/// The largest chunk the format allows (docs/format.md, section 6).
inline constexpr std::uint32_t kChunkBytesMax = 8 * kMiB;

/// Errors: InvalidArgument unless 64 <= min <= target <= max <= kChunkBytesMax.
Status check_chunk_sizes(const ChunkSizes& sizes);

}  // namespace pagevault::chunker
