// The bytes of one source file or stream, block after block, read ahead.

#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "range_reader.h"

namespace pagevault::engine {

class BlockSource {
 public:
  virtual ~BlockSource() = default;
  BlockSource(const BlockSource&) = delete;
  BlockSource& operator=(const BlockSource&) = delete;

  /// The next block in order of the source, never empty; null at the end. Errors: of the source.
  virtual Result<std::shared_ptr<Block>> next() = 0;

 protected:
  BlockSource() = default;
};

/// Reads `ranges` of `file` (ascending, not touching) with several reads in flight. Ends early,
/// without error, where the file has become shorter.
class FileBlockSource final : public BlockSource {
 public:
  /// As for RangeReader.
  FileBlockSource(IoQueue& queue, BlockPool& pool, File& file, std::vector<ByteRange> ranges)
      : reader_(queue, pool, file, std::move(ranges)) {}

  Result<std::shared_ptr<Block>> next() override;

 private:
  RangeReader reader_;
  bool ended_ = false;
};

/// Reads a stream of unknown length. Each call of `read` may give less than asked; 0 ends it.
class StreamBlockSource final : public BlockSource {
 public:
  using Reader = std::function<Result<std::size_t>(MutableBytes)>;
  StreamBlockSource(BlockPool& pool, Reader read) : pool_(&pool), read_(std::move(read)) {}

  Result<std::shared_ptr<Block>> next() override;

 private:
  BlockPool* pool_;
  Reader read_;
  std::uint64_t offset_ = 0;
  bool ended_ = false;
};

}  // namespace pagevault::engine
