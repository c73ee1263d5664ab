#include "block_pool.h"

namespace pagevault::engine {

BlockPool::BlockPool(std::size_t blocks)
    : bytes_(blocks * (kHeadroomBytes + kBlockBytes)),
      arena_(std::make_unique_for_overwrite<std::byte[]>(bytes_)),
      blocks_(blocks) {
  const std::size_t stride = kHeadroomBytes + kBlockBytes;
  for (std::size_t i = 0; i < blocks; ++i) {
    blocks_[i].memory = arena().subspan(i * stride, stride);
    free_.push_back(&blocks_[i]);
  }
}

std::shared_ptr<Block> BlockPool::acquire() {
  std::unique_lock lock(mutex_);
  available_.wait(lock, [&] { return !free_.empty(); });
  Block* const block = free_.back();
  free_.pop_back();
  block->offset = 0;
  block->length = 0;
  return {block, [this](Block* used) { release(used); }};
}

void BlockPool::release(Block* block) {
  const std::lock_guard lock(mutex_);
  free_.push_back(block);
  available_.notify_one();
}

}  // namespace pagevault::engine
