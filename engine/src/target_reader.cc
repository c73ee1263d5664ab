#include "target_reader.h"

#include <algorithm>

namespace pagevault::engine {

namespace {

std::vector<ByteRange> below(std::vector<ByteRange> ranges, std::uint64_t end) {
  while (!ranges.empty() && ranges.back().offset >= end) ranges.pop_back();
  if (!ranges.empty()) {
    ByteRange& last = ranges.back();
    last.length = std::min(last.length, end - last.offset);
  }
  return ranges;
}

}  // namespace

TargetReader::TargetReader(IoQueue& queue, BlockPool& pool, std::unique_ptr<File> file,
                           std::vector<ByteRange> data, std::uint64_t end)
    : file_(std::move(file)),
      data_(below(std::move(data), end)),
      end_(end),
      source_(queue, pool, *file_, data_),
      window_(source_) {}

std::uint64_t TargetReader::hole_at(std::uint64_t offset) {
  while (next_ < data_.size() && data_[next_].offset + data_[next_].length <= offset) ++next_;
  if (next_ == data_.size()) return UINT64_MAX - offset;
  return data_[next_].offset > offset ? data_[next_].offset - offset : 0;
}

// Moves on towards `to`, at least a byte; returns the bytes passed, empty for a hole or behind the
// end of a file that has become shorter.
Result<ByteView> TargetReader::step(std::uint64_t to) {
  const std::uint64_t position = window_.position();
  if (const std::uint64_t hole = hole_at(position); hole > 0) {
    window_.skip_to(position + std::min(hole, to - position));
    return ByteView();
  }
  const std::uint64_t wanted = std::min<std::uint64_t>(to - position, kHeadroomBytes);
  PV_TRY_ASSIGN(ByteView bytes, window_.view(wanted));
  bytes = bytes.first(std::min<std::size_t>(bytes.size(), to - position));
  window_.consume(bytes.size());
  if (bytes.empty()) {
    end_ = std::min(end_, position);
    window_.skip_to(to);
  }
  return bytes;
}

Status TargetReader::skip(std::uint64_t to) {
  while (window_.position() < to) PV_TRY(step(to));
  return ok();
}

Result<std::uint64_t> TargetReader::copy(ByteRange range, MutableBytes out) {
  const std::uint64_t to = range.offset + range.length;
  while (window_.position() < to) {
    const std::uint64_t at = window_.position() - range.offset;
    PV_TRY_ASSIGN(const ByteView bytes, step(to));
    copy_bytes(bytes, out.subspan(at));
  }
  return std::min(to, std::max(end_, range.offset)) - range.offset;
}

Result<ByteView> TargetReader::view(ByteRange range) {
  PV_TRY(skip(range.offset));
  if (range.offset >= end_) return ByteView();
  range.length = std::min(range.length, end_ - range.offset);
  const bool one_piece = range.length <= kHeadroomBytes && hole_at(range.offset) == 0 &&
                         data_[next_].offset + data_[next_].length >= range.offset + range.length;
  if (one_piece) {
    PV_TRY_ASSIGN(const ByteView bytes, window_.view(range.length));
    if (bytes.size() >= range.length) {
      window_.consume(range.length);
      return bytes.first(range.length);
    }
  }
  scratch_.assign(range.length, std::byte{0});
  PV_TRY_ASSIGN(const std::uint64_t got, copy(range, scratch_));
  return ByteView(scratch_).first(got);
}

}  // namespace pagevault::engine
