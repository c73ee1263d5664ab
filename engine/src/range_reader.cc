#include "range_reader.h"

#include <algorithm>

namespace pagevault::engine {

namespace {

// Enough for a disk or a NAS to work while chunks are cut; a small file never gets that far.
constexpr std::size_t kReadsAhead = 4;

}  // namespace

RangeReader::RangeReader(IoQueue& queue, BlockPool& pool, File& file, std::vector<ByteRange> ranges)
    : queue_(&queue), pool_(&pool), file_(&file), ranges_(std::move(ranges)) {
  PV_CHECK(queue.in_flight() == 0);
}

RangeReader::~RangeReader() {
  while (queue_->in_flight() > 0) reap();  // The buffers are theirs until then.
}

void RangeReader::read_ahead() {
  while (range_ < ranges_.size() && reads_.size() < kReadsAhead && !queue_->full()) {
    const ByteRange range = ranges_[range_];
    const std::uint64_t left = range.length - range_offset_;
    Read read{.block = pool_->acquire()};
    read.wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, kBlockBytes));
    read.block->offset = range.offset + range_offset_;
    queue_->read(*file_, read.block->offset, read.block->data().first(read.wanted),
                 first_tag_ + reads_.size());
    range_offset_ += read.wanted;
    if (range_offset_ == range.length) {
      ++range_;
      range_offset_ = 0;
    }
    reads_.push_back(std::move(read));
  }
  queue_->flush();
}

void RangeReader::reap() {
  for (IoCompletion& completion : queue_->wait()) {
    Read& read = reads_.at(completion.tag - first_tag_);
    read.done = true;
    read.got = std::move(completion.bytes);
  }
}

Result<std::optional<RangeReader::Piece>> RangeReader::next() {
  read_ahead();
  if (reads_.empty()) return std::optional<Piece>();
  while (!reads_.front().done) reap();
  Read read = std::move(reads_.front());
  reads_.pop_front();
  ++first_tag_;
  PV_TRY_ASSIGN(const std::size_t got, std::move(read.got));
  if (got > 0) file_->drop_cache({read.block->offset, got});
  return std::optional(Piece{std::move(read.block), read.wanted, got});
}

}  // namespace pagevault::engine
