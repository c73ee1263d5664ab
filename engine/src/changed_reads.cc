#include "changed_reads.h"

#include <algorithm>

#include "parent_span.h"

namespace pagevault::engine {

namespace {

// Adds what of the parent's extent at [begin, end) is to be read.
Status add_extent(const ReadPlan& plan, const repo::Extent& extent, std::uint64_t begin,
                  std::uint64_t end, std::vector<ByteRange>& out) {
  if (extent.hole) {
    for (const ByteRange& named : plan.places->named_in_hole(begin, std::min(end, plan.length))) {
      add_range(out, named.offset, named.offset + named.length);
    }
    return ok();
  }
  bool keep = plan.places->leaves_extent(begin, end);
  if (keep && plan.may_reference) {
    PV_TRY_ASSIGN(keep, plan.may_reference(extent.chunk));
  }
  if (!keep) add_range(out, begin, std::min(end, plan.length));
  return ok();
}

// The extents of a parent's span that are to be read, and what follows them up to `end`.
Status add_extents(const ReadPlan& plan, const ParentSpan& parent, ByteRange span,
                   std::vector<ByteRange>& out) {
  const std::uint64_t end = span.offset + span.length;
  std::uint64_t at = span.offset;
  for (const repo::Extent& extent : parent.extents()) {
    if (at >= end) return ok();
    PV_TRY(add_extent(plan, extent, at, at + extent.length, out));
    at += extent.length;
  }
  add_range(out, at, end);
  return ok();
}

}  // namespace

Result<std::vector<ByteRange>> ranges_to_read(const ReadPlan& plan) {
  std::vector<ByteRange> out;
  for (std::uint64_t begin = 0; begin < plan.length; begin += repo::kSpanBytes) {
    const std::uint64_t span = begin / repo::kSpanBytes;
    const std::uint64_t length = std::min(repo::kSpanBytes, plan.length - begin);
    const bool is_known = plan.parent != nullptr && span < plan.parent->spans();
    if (!is_known || (plan.audited && plan.audited(span))) {
      add_range(out, begin, begin + length);
      continue;
    }
    const bool is_left = !plan.may_reference && plan.places->leaves_span(span);
    if (is_left && whole_span_node(*plan.parent, span)) continue;
    PV_TRY(add_extents(plan, ParentSpan::load(*plan.parent, span), {begin, length}, out));
  }
  return out;
}

}  // namespace pagevault::engine
