// The bytes of one source file or stream, block after block, read ahead.

#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "block_pool.h"
#include "pagevault/base/env.h"

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
  /// `queue` has nothing in flight and is used by this source alone until it is destroyed.
  FileBlockSource(IoQueue& queue, BlockPool& pool, File& file, std::vector<ByteRange> ranges);
  ~FileBlockSource() override;

  Result<std::shared_ptr<Block>> next() override;

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
