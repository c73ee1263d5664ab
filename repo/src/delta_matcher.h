// Finds what a chunk shares with its base, in far less time than a compressor that knows nothing of
// either: most bytes are in the same place, most others have moved by as much as their neighbours.

#pragma once

#define ZSTD_STATIC_LINKING_ONLY  // Sequences.
#include <zstd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "pagevault/base/bytes.h"

namespace pagevault::repo {

/// Measured: docs/adr/0010-deltas.md, "How deltas are encoded". Not thread-safe.
class DeltaMatcher {
 public:
  /// The longest chunk: what zstd takes as one block.
  static constexpr std::size_t kPlainBytesMax = 128 * kKiB;

  /// Matches of `plain` in `base` in order, and last the literals behind them as zstd's delimiter
  /// of the block: together exactly `plain`. Offsets count back over the part of `plain` before the
  /// match and then into `base`, as a decoder counts that has `base` as its prefix. Valid until the
  /// next call. `plain` has at most kPlainBytesMax bytes, `base` kChunkBytesMax; both may be empty.
  std::span<const ZSTD_Sequence> find(ByteView plain, ByteView base);

 private:
  static constexpr std::size_t kTableSlots = 4096;

  // `length` bytes of the chunk at `at` are also at `position`, counted over the base and then the
  // chunk itself.
  struct Match {
    std::size_t at = 0;
    std::size_t position = 0;
    std::size_t length = 0;
  };

  ByteView bytes_from(std::size_t position) const;
  bool starts_alike(std::size_t at, std::size_t position) const;
  Match match_at(std::size_t at, std::size_t position) const;
  Match best_at(std::size_t at);
  Match look_up(std::size_t at);
  Match extended_back(Match match) const;
  void be_certain(std::size_t at);
  void take(const Match& match);
  void index_near(std::size_t at);
  void index_far();

  ByteView plain_;
  ByteView base_;
  std::size_t literals_ = 0;  // Where they start: behind the last match.
  std::size_t certain_ = 0;   // Behind the last match that is surely not by chance.
  std::size_t look_up_next_ = 0;
  std::size_t moved_by_ = 0;  // Offset of the last match that was not in the same place.
  std::vector<ZSTD_Sequence> found_;
  // Where words of the base are: in the stretch around the place, and samples of all of it.
  std::array<std::uint32_t, kTableSlots> near_{};
  std::array<std::uint32_t, kTableSlots> far_{};
  std::size_t near_stretch_ = 0;
  bool far_is_made_ = false;
};

}  // namespace pagevault::repo
