// Where the chunks of a page file must end when an earlier version of it is known: at the earlier
// version's cuts, as far as they still lie inside the file. A page changed in place then re-cuts
// nothing, so its chunk has exactly one predecessor (docs/architecture.md, deltas).

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace pagevault::chunker {

/// The limit of the chunk that starts at some offset.
struct NextCut {
  std::uint64_t limit = 0;  ///< No chunk crosses this offset.
  bool exact = false;       ///< True: ends exactly there. False: cut by content before it.

  bool operator==(const NextCut&) const = default;
};

/// The parent's cuts in one span. Pure; thread-safe; offsets are bytes from the start of the span.
class StickyCuts {
 public:
  /// `parent_ends`: ends of the parent's extents in this span, strictly ascending from above 0, the
  /// last one being the parent's length in the span (empty: no parent). The caller keeps them
  /// alive. `span_length`: length of the span now. `chunk_max`: sizes().max of the chunker; a
  /// longer extent (a joined hole) only keeps its ends.
  ///
  /// If the span grew, the parent's last extent was ended by the end of its file rather than by a
  /// cut: it is not kept, and content decides from its start. If the span shrank, extents that
  /// reach beyond the new end are not kept.
  StickyCuts(std::span<const std::uint64_t> parent_ends, std::uint64_t span_length,
             std::uint32_t chunk_max);

  /// For a chunk that starts at `start` < span_length. Its end is in (start, limit]. Cost: a binary
  /// search.
  NextCut next(std::uint64_t start) const;

  /// Up to here the parent's cuts hold; content cuts from here on.
  std::uint64_t kept_length() const { return kept_.empty() ? 0 : kept_.back(); }

 private:
  std::span<const std::uint64_t> kept_;
  std::uint64_t span_length_;
  std::uint32_t chunk_max_;
};

}  // namespace pagevault::chunker
