#include "pagevault/chunker/sticky_cuts.h"

#include <algorithm>

#include "pagevault/base/result.h"

namespace pagevault::chunker {
namespace {

std::size_t count_kept(std::span<const std::uint64_t> ends, std::uint64_t span_length) {
  if (ends.empty()) return 0;
  if (span_length > ends.back()) return ends.size() - 1;
  const auto beyond = std::upper_bound(ends.begin(), ends.end(), span_length);
  return static_cast<std::size_t>(beyond - ends.begin());
}

}  // namespace

StickyCuts::StickyCuts(std::span<const std::uint64_t> parent_ends, std::uint64_t span_length,
                       std::uint32_t chunk_max)
    : kept_(parent_ends.first(count_kept(parent_ends, span_length))),
      span_length_(span_length),
      chunk_max_(chunk_max) {}

NextCut StickyCuts::next(std::uint64_t start) const {
  PV_CHECK(start < span_length_);
  const auto end = std::upper_bound(kept_.begin(), kept_.end(), start);
  if (end == kept_.end()) return {.limit = span_length_, .exact = false};
  return {.limit = *end, .exact = *end - start <= chunk_max_};
}

}  // namespace pagevault::chunker
