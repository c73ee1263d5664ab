#include "parent_span.h"

#include <algorithm>

namespace pagevault::engine {

ParentSpan ParentSpan::load(MapReader& parent, std::uint64_t span) {
  ParentSpan out;
  if (span >= parent.spans()) return out;
  if (auto node = parent.span(span)) out.node_ = std::move(node).value();
  if (auto id = parent.node_id(span)) out.node_id_ = *id;
  out.ends_.reserve(out.node_.size());
  std::uint64_t at = 0;
  for (const repo::Extent& extent : out.node_) out.ends_.push_back(at += extent.length);
  return out;
}

const repo::Extent* ParentSpan::extent_at(std::uint64_t offset) {
  while (cursor_ < node_.size() && ends_[cursor_] <= offset) ++cursor_;
  if (cursor_ >= node_.size()) return nullptr;
  const std::uint64_t begin = ends_[cursor_] - node_[cursor_].length;
  return begin == offset ? &node_[cursor_] : nullptr;
}

repo::Predecessor ParentSpan::predecessor_of(std::uint64_t offset, std::uint64_t length) const {
  repo::Predecessor best;
  std::uint64_t most = 0;
  const auto first = std::upper_bound(ends_.begin(), ends_.end(), offset);
  for (auto i = static_cast<std::size_t>(first - ends_.begin()); i < node_.size(); ++i) {
    const std::uint64_t begin = ends_[i] - node_[i].length;
    if (begin >= offset + length) break;
    if (node_[i].hole) continue;
    const std::uint64_t overlap = std::min(ends_[i], offset + length) - std::max(begin, offset);
    if (overlap <= most) continue;
    most = overlap;
    best.chunk = node_[i].chunk;
    best.gate = node_[i].whole_chunk ? std::optional(node_[i].gate) : std::nullopt;
  }
  return best;
}

std::optional<ChunkId> whole_span_node(MapReader& map, std::uint64_t span) {
  const auto node = map.node_id(span);
  if (!node || map.is_inline()) return std::nullopt;
  return *node;
}

}  // namespace pagevault::engine
