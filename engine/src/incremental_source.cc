#include "incremental_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "changed_places.h"
#include "parent_tree.h"

namespace pagevault::engine {

namespace {

// Two windows are under way, and the mapper's batch and the workers hold blocks too; each extent
// that was touched alone takes a block of the pool (32).
constexpr std::size_t kWindowBlocks = 6;

}  // namespace

SegmentUpdate segment_update(const pgsupport::IncrementalHeader& header, std::uint32_t block_bytes,
                             std::uint64_t parent_bytes) {
  const std::uint64_t whole = parent_bytes / block_bytes;
  return {.header = header,
          .block_bytes = block_bytes,
          .inherited_blocks =
              static_cast<std::uint32_t>(std::min<std::uint64_t>(whole, header.truncation_blocks))};
}

std::vector<ByteRange> changed_ranges(const SegmentUpdate& update) {
  const std::uint64_t inherited = std::uint64_t{update.inherited_blocks} * update.block_bytes;
  std::vector<ByteRange> out;
  for (const std::uint32_t block : update.header.blocks) {
    if (block >= update.inherited_blocks) break;
    const std::uint64_t begin = std::uint64_t{block} * update.block_bytes;
    add_range(out, begin, begin + update.block_bytes);
  }
  if (update.bytes_after() > inherited) add_range(out, inherited, update.bytes_after());
  return out;
}

// Bytes of one block of the pool, and where in it the parent's extents go.
struct IncrementalSource::Piece {
  std::shared_ptr<Block> block;
};

// Some pieces whose parent extents are fetched in one batch.
struct IncrementalSource::Window {
  // A part of an extent of the parent that goes into a piece.
  struct Copy {
    std::size_t extent = 0;  // In the batch.
    std::size_t piece = 0;
    std::uint64_t from = 0;  // In the extent.
    std::uint64_t to = 0;    // In the piece's data.
    std::uint64_t length = 0;
  };

  std::deque<std::shared_ptr<Block>> blocks;
  std::vector<repo::Extent> extents;
  std::vector<std::vector<Copy>> copies;  // Of each extent.
  std::shared_ptr<const ExtentBatch> batch;
  std::atomic<std::size_t> open{0};
  std::mutex mutex;
  std::optional<Error> failure;  // Guarded by mutex.

  void decode(std::size_t i) {
    const Status done = decode_into_pieces(i);
    if (done) return;
    const std::lock_guard lock(mutex);
    if (!failure) failure = done.error();
  }

 private:
  Status decode_into_pieces(std::size_t i) {
    const std::uint64_t length = extents[i].length;
    if (copies[i].size() == 1 && copies[i].front().length == length) {
      const Copy& all = copies[i].front();
      return batch->decode_for_update(i, blocks[all.piece]->data().subspan(all.to, length));
    }
    Bytes plain(length);
    PV_TRY(batch->decode_for_update(i, plain));
    for (const Copy& copy : copies[i]) {
      copy_bytes(ByteView(plain).subspan(copy.from, copy.length),
                 blocks[copy.piece]->data().subspan(copy.to, copy.length));
    }
    return ok();
  }
};

IncrementalSource::IncrementalSource(const Parts& parts, const SegmentUpdate& update,
                                     MapReader* parent, std::vector<ByteRange> ranges,
                                     NextImage next_image)
    : parts_(parts),
      update_(update),
      parent_(parent),
      ranges_(std::move(ranges)),
      next_image_(std::move(next_image)) {}

// Workers write to the blocks of windows until these are done.
IncrementalSource::~IncrementalSource() {
  for (const auto& window : {current_, ahead_}) {
    if (window) parts_.completion.wait([&] { return window->open.load() == 0; });
  }
}

Result<IncrementalSource::Piece> IncrementalSource::next_piece() {
  const ByteRange& range = ranges_[range_];
  Piece piece{.block = parts_.pool.acquire()};
  piece.block->offset = range.offset + range_offset_;
  piece.block->length =
      static_cast<std::size_t>(std::min<std::uint64_t>(range.length - range_offset_, kBlockBytes));
  range_offset_ += piece.block->length;
  if (range_offset_ == range.length) {
    ++range_;
    range_offset_ = 0;
  }
  return piece;
}

Result<const repo::SpanNode*> IncrementalSource::parent_span(std::uint64_t span) {
  if (span != span_number_) {
    PV_TRY_ASSIGN(span_, parent_->span(span));
    span_number_ = span;
  }
  return &span_;
}

// Plans what of the piece comes from the parent; all else is cleared until blocks are laid over.
Status IncrementalSource::add_parent_extents(Window& window, std::size_t piece) {
  Block& block = *window.blocks[piece];
  const auto clear = [&block](std::uint64_t from, std::uint64_t to) {
    std::ranges::fill(block.data().subspan(from - block.offset, to - from), std::byte{0});
  };
  const std::uint64_t inherited = std::uint64_t{update_.inherited_blocks} * update_.block_bytes;
  const std::uint64_t end = std::min<std::uint64_t>(block.offset + block.length, inherited);
  std::uint64_t at = block.offset;
  while (at < end) {
    const std::uint64_t span = at / repo::kSpanBytes;
    PV_TRY_ASSIGN(const repo::SpanNode* const node, parent_span(span).context(kParentUnreadable));
    std::uint64_t begin = span * repo::kSpanBytes;
    for (const repo::Extent& extent : *node) {
      const std::uint64_t extent_end = begin + extent.length;
      if (extent_end > at && begin < end) {
        const std::uint64_t to = std::min(extent_end, end);
        if (extent.hole) {
          clear(at, to);
        } else {
          const bool is_last = !window.extents.empty() && window.extents.back() == extent;
          if (!is_last) {
            window.extents.push_back(extent);
            window.copies.emplace_back();
          }
          window.copies.back().push_back({.extent = window.extents.size() - 1,
                                          .piece = piece,
                                          .from = at - begin,
                                          .to = at - block.offset,
                                          .length = to - at});
        }
        at = to;
      }
      begin = extent_end;
    }
  }
  clear(at, block.offset + block.length);
  return ok();
}

// Begins to fetch what the next pieces need; null when nothing is left.
Result<std::shared_ptr<IncrementalSource::Window>> IncrementalSource::begin_window() {
  if (range_ == ranges_.size()) return std::shared_ptr<Window>();
  auto window = std::make_shared<Window>();  // Shared with the tasks that decode into it.
  while (range_ < ranges_.size() && window->blocks.size() < kWindowBlocks) {
    PV_TRY_ASSIGN(Piece piece, next_piece());
    window->blocks.push_back(std::move(piece.block));
    PV_TRY(add_parent_extents(*window, window->blocks.size() - 1));
  }
  if (window->extents.empty()) return window;
  window->batch = ExtentBatch::fetch(parts_.workspace, window->extents);
  window->open = window->extents.size();
  Completion* const completion = &parts_.completion;
  for (std::size_t i = 0; i < window->extents.size(); ++i) {
    parts_.workers.submit([window, completion, i] {
      window->decode(i);
      if (window->open.fetch_sub(1) == 1) completion->notify();
    });
  }
  return window;
}

Result<std::shared_ptr<Block>> IncrementalSource::next() {
  if (!current_ || current_->blocks.empty()) {
    current_ = std::exchange(ahead_, nullptr);
    if (!current_) {
      PV_TRY_ASSIGN(current_, begin_window());
    }
    if (!current_) return std::shared_ptr<Block>();
    PV_TRY_ASSIGN(ahead_, begin_window());
    parts_.completion.wait([&] { return current_->open.load() == 0; });
    if (current_->failure) {
      return current_->failure->with_context(kParentUnreadable);
    }
  }
  auto block = std::move(current_->blocks.front());
  current_->blocks.pop_front();
  PV_TRY(lay_over(*block));
  return block;
}

// Blocks are pieces of a range, and ranges begin and end at blocks or at extents of the parent,
// which are whole pages; so a listed block lies in one piece.
Status IncrementalSource::lay_over(Block& block) {
  const auto& blocks = update_.header.blocks;
  while (listed_ < blocks.size()) {
    const std::uint64_t begin = std::uint64_t{blocks[listed_]} * update_.block_bytes;
    if (begin >= block.offset + block.length) return ok();
    const bool inside =
        begin >= block.offset && begin + update_.block_bytes <= block.offset + block.length;
    if (!inside) {
      return Error(ErrorCode::Corrupt,
                   fmt::format("block {} lies across what is read", blocks[listed_]));
    }
    PV_TRY(next_image_(blocks[listed_],
                       block.data().subspan(begin - block.offset, update_.block_bytes)));
    ++listed_;
  }
  return ok();
}

}  // namespace pagevault::engine
