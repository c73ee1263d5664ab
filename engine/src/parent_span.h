// What an earlier version of a stream had in one span: where its extents lie, and which of its
// chunks a new one follows.

#pragma once

#include <optional>
#include <vector>

#include "pagevault/engine/tree.h"
#include "pagevault/repo/write_session.h"

namespace pagevault::engine {

/// Offsets are from the span's start. Not thread-safe.
class ParentSpan {
 public:
  /// No parent, or none here.
  ParentSpan() = default;
  /// A span that cannot be read is as good as none: its data is stored again (F5.8).
  static ParentSpan load(MapReader& parent, std::uint64_t span);

  /// Its node in the store; zero when there is none to reuse.
  const ChunkId& node_id() const { return node_id_; }
  /// In order; none when there is no parent here.
  const repo::SpanNode& extents() const { return node_; }
  /// Ends of its extents, ascending.
  const std::vector<std::uint64_t>& ends() const { return ends_; }
  std::uint64_t length() const { return ends_.empty() ? 0 : ends_.back(); }
  bool is_last(const repo::Extent* extent) const {
    return !node_.empty() && extent == &node_.back();
  }

  /// The extent that starts at `offset`; null when none does. Offsets must not descend.
  const repo::Extent* extent_at(std::uint64_t offset);
  /// The chunk that covers most of [offset, offset + length), if any.
  repo::Predecessor predecessor_of(std::uint64_t offset, std::uint64_t length) const;

 private:
  repo::SpanNode node_;
  ChunkId node_id_;
  std::vector<std::uint64_t> ends_;
  std::size_t cursor_ = 0;  // First extent that ends after the last offset asked for.
};

/// What stands in a map for all of span `span`, undecoded: its node, or zero for a hole. Nothing
/// when the map has no nodes (inline) or cannot be read.
std::optional<ChunkId> whole_span_node(MapReader& map, std::uint64_t span);

}  // namespace pagevault::engine
