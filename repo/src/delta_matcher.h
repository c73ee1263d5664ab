// Finds what a chunk shares with its base, in far less time than a compressor that knows nothing of
// either: most bytes are in the same place, most others have moved by as much as their neighbours.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "pagevault/base/bytes.h"
#include "zstd_contexts.h"

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
  static constexpr int kNearTableLog = 12;
  static constexpr int kFarTableLog = 12;

  // `length` bytes of the chunk at `at` are those of the base at `from`.
  struct Match {
    std::size_t at = 0;
    std::size_t from = 0;
    std::size_t length = 0;
  };

  Match match_at(std::size_t at, std::size_t from) const;
  Match match_shifted(std::size_t at) const;
  Match match_moved(std::size_t at);
  Match best_at(std::size_t at);
  Match extended_back(Match match) const;
  void take(const Match& match);
  void index_near(std::size_t at);
  void index_far();

  ByteView plain_;
  ByteView base_;
  std::size_t literals_ = 0;  // Where they start: behind the last match.
  std::ptrdiff_t shift_ = 0;  // Of the last match that had moved.
  std::vector<ZSTD_Sequence> found_;
  // Where words of the base are: in the stretch around the place, and samples of all of it.
  std::array<std::uint32_t, std::size_t{1} << kNearTableLog> near_{};
  std::array<std::uint32_t, std::size_t{1} << kFarTableLog> far_{};
  std::size_t near_stretch_ = 0;
  bool far_is_made_ = false;
};

}  // namespace pagevault::repo
