// A file with something laid over it: a SQLite database whose newest pages are in its WAL.

#pragma once

#include <functional>

#include "block_source.h"
#include "range_reader.h"

namespace pagevault::engine {

/// Gives all of the ranges, also beyond the end of the file: there are zeros until the overlay has
/// written over them.
class OverlaidBlockSource final : public BlockSource {
 public:
  /// Called for each block in order: writes what lies over `bytes`, which are those at `offset` of
  /// the image. Only the first `from_file` of them are in the file: what of the rest the overlay
  /// has not either is nobody's, and an error it is to report. An error ends the source.
  ///
  /// Blocks are pieces of a range, split each MiB from its start. So a page lies in one block where
  /// ranges begin and end at pages.
  using Overlay =
      std::function<Status(std::uint64_t offset, MutableBytes bytes, std::size_t from_file)>;

  /// As for RangeReader.
  OverlaidBlockSource(IoQueue& queue, BlockPool& pool, File& file, std::vector<ByteRange> ranges,
                      Overlay overlay)
      : reader_(queue, pool, file, std::move(ranges)), overlay_(std::move(overlay)) {}

  Result<std::shared_ptr<Block>> next() override;

 private:
  RangeReader reader_;
  Overlay overlay_;
};

}  // namespace pagevault::engine
