// The bytes of a source one after the other, for what is parsed rather than mapped.

#pragma once

#include "block_source.h"

namespace pagevault::engine {

/// Not thread-safe. The source outlives it.
class ByteStream {
 public:
  explicit ByteStream(BlockSource& source) : source_(&source) {}

  /// Fills `out`. Errors: Corrupt when the source ends before; of the source.
  Status read(MutableBytes out);
  /// All that is left. Errors: Corrupt when it is more than `bytes_max`; of the source.
  Result<Bytes> read_all(std::uint64_t bytes_max);
  /// Reads to the end and drops it.
  Status drain();
  /// Bytes taken so far.
  std::uint64_t position() const { return position_; }

 private:
  Result<ByteView> available();

  BlockSource* source_;
  std::shared_ptr<Block> block_;
  std::size_t used_ = 0;  // Of block_.
  std::uint64_t position_ = 0;
};

/// Gives bytes that are in memory; they outlive it.
class MemoryBlockSource final : public BlockSource {
 public:
  MemoryBlockSource(BlockPool& pool, ByteView bytes) : pool_(&pool), bytes_(bytes) {}
  Result<std::shared_ptr<Block>> next() override;

 private:
  BlockPool* pool_;
  ByteView bytes_;
  std::uint64_t offset_ = 0;
};

}  // namespace pagevault::engine
