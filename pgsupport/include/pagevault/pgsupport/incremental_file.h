// INCREMENTAL.* files of PostgreSQL 17 and later: a header, then the blocks that changed.
// Source: PostgreSQL, src/include/backup/basebackup_incremental.h, src/backend/backup/basebackup.c.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"

namespace pagevault::pgsupport {

/// 64 GiB of the usual blocks, where a server has 1: bounds the header of an incremental file,
/// which lists up to all of them (S15).
inline constexpr std::uint32_t kSegmentBlocksMax = 8 * 1024 * 1024;

/// Sizes that the server was built with; from pg_control or the server itself.
struct RelationGeometry {
  std::uint32_t block_bytes = 8192;
  std::uint32_t segment_blocks = 131072;  ///< At most kSegmentBlocksMax.
};

/// The path of the relation file that the incremental file at `path` belongs to; nothing when it is
/// none: `INCREMENTAL.` counts only before a relation file's name where such files lie.
std::optional<std::string> relation_path_of_incremental(std::string_view path);
/// The other way: `base/5/16384` -> `base/5/INCREMENTAL.16384`.
std::string incremental_path_of(std::string_view relation_path);

struct IncrementalHeader {
  std::uint32_t truncation_blocks = 0;  ///< At most segment_blocks: a larger one is clamped.
  std::vector<std::uint32_t> blocks;    ///< Of the segment, strictly ascending.
  std::uint64_t header_bytes = 0;       ///< Where the first block image begins.

  /// Blocks that the segment has after this was applied.
  std::uint32_t blocks_after() const {
    const std::uint32_t last = blocks.empty() ? 0 : blocks.back() + 1;
    return last > truncation_blocks ? last : truncation_blocks;
  }
};

/// Bytes of the fixed part, which says how long the header is.
inline constexpr std::size_t kIncrementalFixedBytes = 12;

/// How long the header is whose first kIncrementalFixedBytes are `fixed`: with padding, up to the
/// first image. Errors: Corrupt (magic, counts above the geometry).
Result<std::uint64_t> incremental_header_bytes(ByteView fixed, const RelationGeometry& geometry);

/// `header`: as many bytes as that. `file_bytes`: length of the whole file, which must be exact.
/// Errors: Corrupt (magic, order, range, padding, length).
Result<IncrementalHeader> parse_incremental_header(ByteView header, std::uint64_t file_bytes,
                                                   const RelationGeometry& geometry);

}  // namespace pagevault::pgsupport
