// Which parts of a file are read when its source says where it may have changed. The mapper goes by
// what was read: what lies between is the parent's.

#pragma once

#include <functional>
#include <span>
#include <vector>

#include "changed_places.h"
#include "pagevault/engine/tree.h"

namespace pagevault::engine {

/// Decides what to read of a file of `length` bytes.
struct ReadPlan {
  std::uint64_t length = 0;
  /// The parent's map; null: there is none to go by, everything is read.
  MapReader* parent = nullptr;
  const ChangedPlaces* places = nullptr;
  /// Spans that are read whole (S10); empty: none.
  std::function<bool(std::uint64_t span)> audited;
  /// Asked for with the nodes that are needed next, a few dozen at a time; empty: none wanted. What
  /// it cannot read is read again when its turn comes.
  std::function<void(std::span<const ChunkId> nodes)> prefetch;
  /// Whether a parent's chunk may be referenced (I6); empty: all may, nothing needs proof.
  std::function<Result<bool>(const ChunkId& chunk)> may_reference;
};

/// Ascending and not touching: the parent's extents that may have changed, whole, as far as the
/// file reaches; what is named of its holes; what the file grew by; audited spans; spans whose node
/// cannot be read (F5.8). Spans without a change are not decoded unless there is something to
/// prove. Holes of the file are not left out. Memory: 16 bytes per extent to be read. Errors: of
/// may_reference.
Result<std::vector<ByteRange>> ranges_to_read(const ReadPlan& plan);

}  // namespace pagevault::engine
