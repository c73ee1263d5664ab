#include "changed_reads.h"

#include <algorithm>

#include "parent_span.h"

namespace pagevault::engine {

namespace {

// Their nodes, some 70 KiB each, fit in the reader's cache several times.
constexpr std::uint64_t kSpansAhead = 32;

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

enum class SpanUse : std::uint8_t { ReadWhole, Leave, ByExtents };

SpanUse use_of(const ReadPlan& plan, std::uint64_t span) {
  const bool is_known = plan.parent != nullptr && span < plan.parent->spans();
  if (!is_known || (plan.audited && plan.audited(span))) return SpanUse::ReadWhole;
  const bool is_left = !plan.may_reference && plan.places->leaves_span(span);
  return is_left && whole_span_node(*plan.parent, span) ? SpanUse::Leave : SpanUse::ByExtents;
}

void prefetch_nodes(const ReadPlan& plan, std::uint64_t first, std::uint64_t end) {
  std::vector<ChunkId> nodes;
  for (std::uint64_t span = first; span < end; ++span) {
    if (use_of(plan, span) != SpanUse::ByExtents) continue;
    const auto node = whole_span_node(*plan.parent, span);
    if (node && !node->is_zero()) nodes.push_back(*node);
  }
  if (nodes.size() > 1) plan.prefetch(nodes);
}

}  // namespace

Result<std::vector<ByteRange>> ranges_to_read(const ReadPlan& plan) {
  std::vector<ByteRange> out;
  const std::uint64_t spans = (plan.length + repo::kSpanBytes - 1) / repo::kSpanBytes;
  for (std::uint64_t span = 0; span < spans; ++span) {
    if (plan.prefetch && span % kSpansAhead == 0) {
      prefetch_nodes(plan, span, std::min(spans, span + kSpansAhead));
    }
    const std::uint64_t begin = span * repo::kSpanBytes;
    const std::uint64_t length = std::min(repo::kSpanBytes, plan.length - begin);
    const SpanUse use = use_of(plan, span);
    if (use == SpanUse::ReadWhole) add_range(out, begin, begin + length);
    if (use != SpanUse::ByExtents) continue;
    PV_TRY(add_extents(plan, ParentSpan::load(*plan.parent, span), {begin, length}, out));
  }
  return out;
}

}  // namespace pagevault::engine
