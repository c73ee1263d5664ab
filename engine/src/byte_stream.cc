#include "byte_stream.h"

#include <fmt/format.h>

#include <algorithm>

namespace pagevault::engine {

// Unused bytes of the current block, or of the next one; empty at the end.
Result<ByteView> ByteStream::available() {
  if (!block_ || used_ == block_->length) {
    PV_TRY_ASSIGN(block_, source_->next());
    used_ = 0;
  }
  if (!block_) return ByteView();
  return ByteView(block_->data().subspan(used_, block_->length - used_));
}

Status ByteStream::read(MutableBytes out) {
  while (!out.empty()) {
    PV_TRY_ASSIGN(const ByteView there, available());
    if (there.empty()) {
      return Error(ErrorCode::Corrupt,
                   fmt::format("ends after {} bytes, {} too early", position_, out.size()));
    }
    const std::size_t count = std::min(there.size(), out.size());
    std::copy_n(there.begin(), count, out.begin());
    used_ += count;
    position_ += count;
    out = out.subspan(count);
  }
  return ok();
}

Result<Bytes> ByteStream::read_all(std::uint64_t bytes_max) {
  Bytes out;
  while (true) {
    PV_TRY_ASSIGN(const ByteView there, available());
    if (there.empty()) return out;
    if (there.size() > bytes_max - out.size()) {
      return Error(ErrorCode::Corrupt, fmt::format("longer than {} bytes", bytes_max));
    }
    append(out, there);
    used_ += there.size();
    position_ += there.size();
  }
}

Status ByteStream::drain() {
  while (true) {
    PV_TRY_ASSIGN(const ByteView there, available());
    if (there.empty()) return ok();
    used_ += there.size();
    position_ += there.size();
  }
}

Result<std::shared_ptr<Block>> MemoryBlockSource::next() {
  if (bytes_.empty()) return std::shared_ptr<Block>();
  auto block = pool_->acquire();
  block->offset = offset_;
  block->length = std::min(bytes_.size(), block->data().size());
  std::copy_n(bytes_.begin(), block->length, block->data().begin());
  bytes_ = bytes_.subspan(block->length);
  offset_ += block->length;
  return block;
}

}  // namespace pagevault::engine
