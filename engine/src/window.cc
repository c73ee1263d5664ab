#include "window.h"

#include <algorithm>

namespace pagevault::engine {

Result<ByteView> Window::view(std::size_t wanted) {
  PV_CHECK(wanted <= kHeadroomBytes);
  while (end_ - begin_ < wanted) {
    PV_TRY(fetch());
    const bool adjoins = next_ && next_->offset == position_ + (end_ - begin_);
    if (!adjoins) break;
    join_next();
  }
  if (end_ == begin_) return ByteView();
  return ByteView(block_->memory.subspan(begin_, end_ - begin_));
}

Status Window::fetch() {
  if (next_ || ended_) return ok();
  PV_TRY_ASSIGN(next_, source_->next());
  if (next_) {
    bytes_read_ += next_->length;
  } else {
    ended_ = true;
  }
  return ok();
}

// Copies what is unread into the headroom of the next block, where the two are one piece.
void Window::join_next() {
  const std::size_t carried = end_ - begin_;
  const std::size_t begin = kHeadroomBytes - carried;
  if (carried > 0) {
    std::copy_n(block_->memory.begin() + static_cast<std::ptrdiff_t>(begin_), carried,
                next_->memory.begin() + static_cast<std::ptrdiff_t>(begin));
  }
  block_ = std::move(next_);
  next_ = nullptr;
  begin_ = begin;
  end_ = kHeadroomBytes + block_->length;
}

void Window::consume(std::size_t count) {
  PV_CHECK(count <= end_ - begin_);
  begin_ += count;
  position_ += count;
}

void Window::skip_to(std::uint64_t offset) {
  PV_CHECK(begin_ == end_ && offset >= position_);
  position_ = offset;
}

}  // namespace pagevault::engine
