#include "checked_source.h"

#include <algorithm>

namespace pagevault::engine {

void PageCheck::look_at(std::uint64_t offset, ByteView bytes) {
  if (!partial_.empty()) {
    const std::size_t missing = std::min(block_bytes_ - partial_.size(), bytes.size());
    append(partial_, bytes.first(missing));
    if (partial_.size() < block_bytes_) return;
    look_at_blocks(offset + missing - block_bytes_, partial_);
    partial_.clear();
    bytes = bytes.subspan(missing);
    offset += missing;
  }
  const std::size_t whole = bytes.size() - bytes.size() % block_bytes_;
  look_at_blocks(offset, bytes.first(whole));
  append(partial_, bytes.subspan(whole));
}

void PageCheck::look_at_blocks(std::uint64_t offset, ByteView blocks) {
  const auto first = first_block_ + static_cast<std::uint32_t>(offset / block_bytes_);
  findings_.count +=
      pgsupport::find_mismatches(blocks, block_bytes_, first, findings_.first, PageFindings::kKept);
}

Result<std::shared_ptr<Block>> CheckedSource::next() {
  PV_TRY_ASSIGN(auto block, source_->next());
  if (!block) return block;
  const ByteView bytes = block->data().first(block->length);
  checksum_->update(bytes);
  if (pages_ != nullptr) pages_->look_at(block->offset, bytes);
  return block;
}

}  // namespace pagevault::engine
