#include "block_source.h"

namespace pagevault::engine {

Result<std::shared_ptr<Block>> FileBlockSource::next() {
  if (ended_) return std::shared_ptr<Block>();
  PV_TRY_ASSIGN(auto piece, reader_.next());
  if (!piece) return std::shared_ptr<Block>();
  if (piece->got < piece->wanted) ended_ = true;  // The file shrank; what follows is not there.
  piece->block->length = piece->got;
  return piece->got == 0 ? std::shared_ptr<Block>() : std::move(piece->block);
}

Result<std::shared_ptr<Block>> StreamBlockSource::next() {
  if (ended_) return std::shared_ptr<Block>();
  auto block = pool_->acquire();
  block->offset = offset_;
  const MutableBytes data = block->data();
  while (block->length < data.size()) {
    PV_TRY_ASSIGN(const std::size_t got, read_(data.subspan(block->length)));
    if (got == 0) {
      ended_ = true;
      break;
    }
    block->length += got;
  }
  offset_ += block->length;
  return block->length == 0 ? std::shared_ptr<Block>() : block;
}

}  // namespace pagevault::engine
