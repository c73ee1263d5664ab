#include "block_source.h"

#include <algorithm>

namespace pagevault::engine {

namespace {

// Enough for a disk or a NAS to work while chunks are cut; a small file never gets that far.
constexpr std::size_t kReadsAhead = 4;

}  // namespace

FileBlockSource::FileBlockSource(IoQueue& queue, BlockPool& pool, File& file,
                                 std::vector<ByteRange> ranges)
    : queue_(&queue), pool_(&pool), file_(&file), ranges_(std::move(ranges)) {
  PV_CHECK(queue.in_flight() == 0);
}

FileBlockSource::~FileBlockSource() {
  while (queue_->in_flight() > 0) reap();  // The buffers are theirs until then.
}

void FileBlockSource::read_ahead() {
  while (!ended_ && range_ < ranges_.size() && reads_.size() < kReadsAhead && !queue_->full()) {
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

void FileBlockSource::reap() {
  for (IoCompletion& completion : queue_->wait()) {
    Read& read = reads_.at(completion.tag - first_tag_);
    read.done = true;
    read.got = std::move(completion.bytes);
  }
}

Result<std::shared_ptr<Block>> FileBlockSource::next() {
  read_ahead();
  if (reads_.empty() || ended_) return std::shared_ptr<Block>();
  while (!reads_.front().done) reap();
  Read read = std::move(reads_.front());
  reads_.pop_front();
  ++first_tag_;
  PV_TRY_ASSIGN(const std::size_t got, std::move(read.got));
  if (got < read.wanted) ended_ = true;  // The file shrank; what follows is not there.
  file_->drop_cache({read.block->offset, got});
  read.block->length = got;
  return got == 0 ? std::shared_ptr<Block>() : read.block;
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
