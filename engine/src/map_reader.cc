#include <fmt/format.h>

#include <algorithm>

#include "pagevault/engine/tree.h"

namespace pagevault::engine {

MapReader::MapReader(repo::ChunkReader& reader, const repo::MapRoot& map, std::uint64_t length)
    : reader_(&reader), map_(&map), length_(length) {}

std::uint64_t MapReader::spans() const {
  return length_ / repo::kSpanBytes + (length_ % repo::kSpanBytes != 0 ? 1 : 0);
}

std::uint64_t MapReader::span_length(std::uint64_t span) const {
  return std::min(repo::kSpanBytes, length_ - span * repo::kSpanBytes);
}

Result<ChunkId> MapReader::node_id(std::uint64_t span) {
  PV_CHECK(span < spans());
  using Form = repo::MapRoot::Form;
  if (map_->form == Form::Inline) return ChunkId{};
  const Error too_short(ErrorCode::Corrupt, fmt::format("map ends before span {}", span));
  if (map_->form != Form::Lists) {
    return span < map_->ids.size() ? Result<ChunkId>(map_->ids[span]) : too_short;
  }
  const std::uint64_t number = span / repo::kNodesPerList;
  if (number >= map_->ids.size()) return too_short;
  if (number != list_number_) {
    PV_TRY_ASSIGN(const auto bytes, reader_->read_metadata(map_->ids[number]));
    PV_TRY_ASSIGN(list_, repo::decode_node_list(*bytes));
    list_number_ = number;
  }
  const std::uint64_t at = span % repo::kNodesPerList;
  return at < list_.size() ? Result<ChunkId>(list_[at]) : too_short;
}

Result<repo::SpanNode> MapReader::span(std::uint64_t span) {
  PV_CHECK(span < spans());
  const std::uint64_t length = span_length(span);
  repo::SpanNode node;
  if (is_inline()) {
    PV_TRY_ASSIGN(node, repo::decode_span_node(map_->inline_node));
  } else {
    PV_TRY_ASSIGN(const ChunkId id, node_id(span));
    if (id.is_zero()) {
      node.emplace_back();
      node.back().hole = true;
      node.back().length = length;
    } else {
      PV_TRY_ASSIGN(const auto bytes, reader_->read_metadata(id));
      PV_TRY_ASSIGN(node, repo::decode_span_node(*bytes));
    }
  }
  if (repo::length_of(node) != length) {
    return Error(ErrorCode::Corrupt, fmt::format("span {} holds {} bytes instead of {}", span,
                                                 repo::length_of(node), length));
  }
  return node;
}

}  // namespace pagevault::engine
