// Reads ranges of a file into blocks, with several reads in flight.

#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "block_pool.h"
#include "pagevault/base/env.h"

namespace pagevault::engine {

/// One thread. Blocks begin at the ranges' starts and at every kBlockBytes from there.
class RangeReader {
 public:
  /// `ranges` ascending, not touching. `queue` has nothing in flight and is used by this reader
  /// alone until it is destroyed.
  RangeReader(IoQueue& queue, BlockPool& pool, File& file, std::vector<ByteRange> ranges);
  ~RangeReader();
  RangeReader(const RangeReader&) = delete;
  RangeReader& operator=(const RangeReader&) = delete;

  struct Piece {
    std::shared_ptr<Block> block;  ///< Its length is not set yet.
    std::size_t wanted = 0;        ///< Not zero.
    std::size_t got = 0;           ///< Less than wanted where the file ends.
  };
  /// The next one in order of the file; nothing at the end of the ranges. Errors: of the file.
  Result<std::optional<Piece>> next();

 private:
  struct Read {
    std::shared_ptr<Block> block;
    std::size_t wanted = 0;
    bool done = false;
    Result<std::size_t> got = std::size_t{0};
  };

  void read_ahead();
  void reap();

  IoQueue* queue_;
  BlockPool* pool_;
  File* file_;
  std::vector<ByteRange> ranges_;
  std::size_t range_ = 0;           // The next read starts in this range,
  std::uint64_t range_offset_ = 0;  // this far from its start.
  std::uint64_t first_tag_ = 0;     // Tag of reads_.front().
  std::deque<Read> reads_;          // In order of the source.
};

}  // namespace pagevault::engine
