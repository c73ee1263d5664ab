// Where a file may differ from its parent's version, when its source says so: SQLite's WAL,
// PostgreSQL's incremental files, or metadata that says nowhere. Pure.
//
// What the lengths tell need not be said: bytes beyond the shorter of the two versions differ, and
// an extent that the end of the file cut off, then or now, is not the same extent any more.

#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "pagevault/base/env.h"
#include "pagevault/repo/format.h"

namespace pagevault::engine {

/// Offsets are of the file. Thread-safe.
class ChangedPlaces {
 public:
  struct Lengths {
    std::uint64_t before = 0;
    std::uint64_t now = 0;
  };
  /// `ranges`: ascending, not empty, not touching (checked); what lies beyond the end is ignored.
  /// The caller keeps them alive.
  ChangedPlaces(std::span<const ByteRange> ranges, Lengths lengths);

  /// True when all of span `span` is as it was, and as long.
  bool leaves_span(std::uint64_t span) const;
  /// True when the parent's extent at [begin, end), both within one span, is still one now.
  bool leaves_extent(std::uint64_t begin, std::uint64_t end) const;
  /// Of the parent's hole at [begin, end), as far as the file reaches: what may be no hole now.
  /// Ascending, not touching, in pieces of 64 KiB: whole pages of every size, and no chunk of each
  /// page that was written into a hole. A hole is not read as a whole for a page in it.
  std::vector<ByteRange> named_in_hole(std::uint64_t begin, std::uint64_t end) const;

 private:
  bool names_any_of(std::uint64_t begin, std::uint64_t end) const;

  std::span<const ByteRange> ranges_;
  Lengths lengths_;
};

/// The parts of `ranges` (ascending, not touching) inside [begin, end). Cost: a binary search and
/// what is returned.
std::vector<ByteRange> clip(std::span<const ByteRange> ranges, std::uint64_t begin,
                            std::uint64_t end);

std::uint64_t bytes_in(std::span<const ByteRange> ranges);

/// Adds [begin, end) to ascending ranges that do not touch, which stay so. It begins no earlier
/// than the last of them.
void add_range(std::vector<ByteRange>& ranges, std::uint64_t begin, std::uint64_t end);

}  // namespace pagevault::engine
