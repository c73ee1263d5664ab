// The bytes of a file that a restore finds at its target, in ascending order, read ahead through
// the ring.

#pragma once

#include <memory>
#include <vector>

#include "block_source.h"
#include "window.h"

namespace pagevault::engine {

/// Not thread-safe. Holes of the file are not read.
class TargetReader {
 public:
  /// Reads of `file` what lies in `data` (its data_ranges) and below `end`. `queue` has nothing in
  /// flight and is used by this reader alone until it is destroyed.
  TargetReader(IoQueue& queue, BlockPool& pool, std::unique_ptr<File> file,
               std::vector<ByteRange> data, std::uint64_t end);

  /// The bytes of `range`, which begins at or after the end of the one before: zeros in holes,
  /// fewer where the file ends. Valid until the next call. Errors: of the file.
  Result<ByteView> view(ByteRange range);
  /// How many bytes from `offset` on are a hole; all up to the largest number behind the last data.
  std::uint64_t hole_at(std::uint64_t offset);

  /// Bytes read of the file so far.
  std::uint64_t bytes_read() const { return window_.bytes_read(); }

 private:
  Result<std::uint64_t> copy(ByteRange range, MutableBytes out);
  Status skip(std::uint64_t to);
  Result<ByteView> step(std::uint64_t to);

  std::unique_ptr<File> file_;
  std::vector<ByteRange> data_;
  std::size_t next_ = 0;  // The first of data_ that ends behind the position.
  std::uint64_t end_;
  FileBlockSource source_;
  Window window_;
  Bytes scratch_;
};

}  // namespace pagevault::engine
