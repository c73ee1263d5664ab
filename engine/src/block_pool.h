// The memory that source bytes pass through: a fixed number of blocks, so that a backup's memory
// does not depend on what it backs up (I14).
//
// Each block has headroom in front of its data: the tail of a chunk that began in the block before
// is copied there, so that every chunk lies in one piece and nearly nothing is copied.

#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "pagevault/base/bytes.h"

namespace pagevault::engine {

inline constexpr std::size_t kBlockBytes = 1 * kMiB;
inline constexpr std::size_t kHeadroomBytes = 256 * kKiB;

/// Memory of one block. Filled by the reader, read by any number of workers.
struct Block {
  MutableBytes memory;       ///< kHeadroomBytes + kBlockBytes.
  std::uint64_t offset = 0;  ///< Of the data in the source.
  std::size_t length = 0;    ///< Of the data, which starts at kHeadroomBytes.

  MutableBytes data() const { return memory.subspan(kHeadroomBytes); }
};

/// Thread-safe. Outlives its blocks.
class BlockPool {
 public:
  explicit BlockPool(std::size_t blocks);

  /// A free block; waits for one. It goes back when its last owner lets go: owners are the reader
  /// and every chunk task that reads from it.
  std::shared_ptr<Block> acquire();
  /// All memory of the pool, for IoQueue::register_arena.
  MutableBytes arena() { return {arena_.get(), bytes_}; }

 private:
  void release(Block* block);

  std::size_t bytes_;
  std::unique_ptr<std::byte[]> arena_;  // Not cleared: what is not needed is never touched.
  std::vector<Block> blocks_;
  std::mutex mutex_;
  std::condition_variable available_;
  std::vector<Block*> free_;  // Guarded by mutex_.
};

}  // namespace pagevault::engine
