#include "differing_ranges.h"

#include <algorithm>

namespace pagevault::engine {
namespace {

// A place in a span's extents.
class ExtentCursor {
 public:
  explicit ExtentCursor(const repo::SpanNode& node) : node_(node) {}

  bool at_end() const { return at_ == node_.size(); }
  std::uint64_t left_in_extent() const { return node_[at_].length - inside_; }
  // Whether both go on with the same bytes, as far as ids tell.
  bool is_like(const ExtentCursor& other) const {
    const repo::Extent& a = node_[at_];
    const repo::Extent& b = other.node_[other.at_];
    if (a.hole || b.hole) return a.hole && b.hole;
    return a.chunk == b.chunk && a.chunk_offset + inside_ == b.chunk_offset + other.inside_;
  }
  void skip(std::uint64_t length) {
    inside_ += length;
    if (inside_ < node_[at_].length) return;
    inside_ = 0;
    ++at_;
  }

 private:
  const repo::SpanNode& node_;
  std::size_t at_ = 0;
  std::uint64_t inside_ = 0;
};

Status compare_spans(const repo::SpanNode& before, const repo::SpanNode& after,
                     std::uint64_t offset, const std::function<Status(const ByteRange&)>& visit) {
  ExtentCursor left(before);
  ExtentCursor right(after);
  while (!left.at_end() && !right.at_end()) {
    const std::uint64_t length = std::min(left.left_in_extent(), right.left_in_extent());
    if (!left.is_like(right)) PV_TRY(visit({offset, length}));
    left.skip(length);
    right.skip(length);
    offset += length;
  }
  return ok();
}

// Inline maps have no node to go by.
Result<bool> have_same_node(MapReader& before, MapReader& after, std::uint64_t span) {
  if (before.is_inline() || after.is_inline()) return false;
  PV_TRY_ASSIGN(const ChunkId left, before.node_id(span));
  PV_TRY_ASSIGN(const ChunkId right, after.node_id(span));
  return left == right;
}

}  // namespace

Status visit_differing_ranges(MapReader& before, MapReader& after,
                              const std::function<Status(const ByteRange&)>& visit) {
  const std::uint64_t spans = std::min(before.spans(), after.spans());
  for (std::uint64_t span = 0; span < spans; ++span) {
    PV_TRY_ASSIGN(const bool same, have_same_node(before, after, span));
    if (same) continue;
    PV_TRY_ASSIGN(const repo::SpanNode left, before.span(span));
    PV_TRY_ASSIGN(const repo::SpanNode right, after.span(span));
    PV_TRY(compare_spans(left, right, span * repo::kSpanBytes, visit));
  }
  return ok();
}

}  // namespace pagevault::engine
