// A view of the source from the current position, always in one piece however blocks fall.

#pragma once

#include "block_source.h"

namespace pagevault::engine {

/// Not thread-safe. Views stay valid as long as the owner() of their moment is held.
class Window {
 public:
  explicit Window(BlockSource& source) : source_(&source) {}

  /// At least `wanted` bytes (<= kHeadroomBytes) from position(), or all up to where the source
  /// ends or skips a hole. May be longer than asked. Empty at such a place. Errors: of the source.
  Result<ByteView> view(std::size_t wanted);
  /// Moves on; `count` <= size of the last view.
  void consume(std::size_t count);
  /// Continues after a hole: nothing unread is left (checked).
  void skip_to(std::uint64_t offset);

  std::uint64_t position() const { return position_; }
  /// Keeps the bytes of the last view alive.
  const std::shared_ptr<Block>& owner() const { return block_; }
  /// Bytes taken from the source so far.
  std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  Status fetch();
  void join_next();

  BlockSource* source_;
  std::shared_ptr<Block> block_;  // Holds [begin_, end_) of its memory.
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::shared_ptr<Block> next_;  // Fetched, not joined yet.
  bool ended_ = false;
  std::uint64_t position_ = 0;
  std::uint64_t bytes_read_ = 0;
};

}  // namespace pagevault::engine
