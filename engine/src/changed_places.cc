#include "changed_places.h"

#include <algorithm>

namespace pagevault::engine {

namespace {

constexpr std::uint64_t kHolePieceBytes = 64 * kKiB;

std::uint64_t end_of(const ByteRange& range) { return range.offset + range.length; }

// The first range that ends after `offset`.
std::span<const ByteRange>::iterator first_after(std::span<const ByteRange> ranges,
                                                 std::uint64_t offset) {
  return std::upper_bound(ranges.begin(), ranges.end(), offset,
                          [](std::uint64_t at, const ByteRange& r) { return at < end_of(r); });
}

bool is_ascending(std::span<const ByteRange> ranges) {
  const auto touches = [](const ByteRange& a, const ByteRange& b) { return end_of(a) >= b.offset; };
  const auto is_bad = [](const ByteRange& r) {
    return r.length == 0 || r.length > UINT64_MAX - r.offset;
  };
  return std::none_of(ranges.begin(), ranges.end(), is_bad) &&
         std::adjacent_find(ranges.begin(), ranges.end(), touches) == ranges.end();
}

}  // namespace

ChangedPlaces::ChangedPlaces(std::span<const ByteRange> ranges, Lengths lengths)
    : ranges_(ranges), lengths_(lengths) {
  PV_CHECK(is_ascending(ranges));
}

bool ChangedPlaces::names_any_of(std::uint64_t begin, std::uint64_t end) const {
  const auto found = first_after(ranges_, begin);
  return found != ranges_.end() && found->offset < end;
}

bool ChangedPlaces::leaves_span(std::uint64_t span) const {
  const std::uint64_t begin = span * repo::kSpanBytes;
  const std::uint64_t end = std::min(begin + repo::kSpanBytes, lengths_.now);
  return end == std::min(begin + repo::kSpanBytes, lengths_.before) && !names_any_of(begin, end);
}

bool ChangedPlaces::leaves_extent(std::uint64_t begin, std::uint64_t end) const {
  if (end > lengths_.now) return false;
  // The last extent of a file that grew was ended by the end of its file, not by a cut; at the end
  // of a span a cut is forced anyway.
  const bool ended_by_end = end == lengths_.before && end % repo::kSpanBytes != 0;
  if (ended_by_end && lengths_.now > lengths_.before) return false;
  return !names_any_of(begin, end);
}

std::vector<ByteRange> ChangedPlaces::named_in_hole(std::uint64_t begin, std::uint64_t end) const {
  std::vector<ByteRange> out;
  const auto piece_of = [](std::uint64_t at) { return at - at % kHolePieceBytes; };
  for (const ByteRange& range : clip(ranges_, begin, end)) {
    const std::uint64_t last = piece_of(end_of(range) - 1);
    add_range(out, std::max(begin, piece_of(range.offset)), std::min(end, last + kHolePieceBytes));
  }
  // What the file grew by is cut into pages from a border of pages on.
  const bool grew_here = end == lengths_.before && lengths_.now > lengths_.before;
  if (grew_here) add_range(out, std::max(begin, piece_of(end)), end);
  return out;
}

std::uint64_t bytes_in(std::span<const ByteRange> ranges) {
  std::uint64_t out = 0;
  for (const ByteRange& range : ranges) out += range.length;
  return out;
}

void add_range(std::vector<ByteRange>& ranges, std::uint64_t begin, std::uint64_t end) {
  if (begin >= end) return;
  if (ranges.empty() || end_of(ranges.back()) < begin) {
    ranges.push_back({begin, end - begin});
    return;
  }
  PV_CHECK(begin >= ranges.back().offset);
  ranges.back().length = std::max(end_of(ranges.back()), end) - ranges.back().offset;
}

std::vector<ByteRange> clip(std::span<const ByteRange> ranges, std::uint64_t begin,
                            std::uint64_t end) {
  std::vector<ByteRange> out;
  for (auto range = first_after(ranges, begin); range != ranges.end(); ++range) {
    if (range->offset >= end) break;
    const std::uint64_t from = std::max(range->offset, begin);
    out.push_back({from, std::min(end_of(*range), end) - from});
  }
  return out;
}

}  // namespace pagevault::engine
