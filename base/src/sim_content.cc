#include "sim_content.h"

#include <algorithm>
#include <set>

namespace pagevault::sim {

namespace {

/// The part of [offset, end) that lies in the page holding `offset`.
struct Piece {
  std::uint64_t page;
  std::size_t start;
  std::size_t length;
};

Piece first_piece(std::uint64_t offset, std::uint64_t end) {
  const std::uint64_t start = offset % kPageBytes;
  const std::uint64_t length = std::min(end - offset, kPageBytes - start);
  return {.page = offset / kPageBytes, .start = start, .length = length};
}

std::uint64_t pages_for(std::uint64_t bytes) { return (bytes + kPageBytes - 1) / kPageBytes; }

}  // namespace

const Page* Content::page(std::uint64_t index) const {
  const auto group = groups_.find(index / kGroupPages);
  if (group == groups_.end()) return nullptr;
  return (*group->second)[index % kGroupPages].get();
}

Content::PagePointer& Content::slot(std::uint64_t index) {
  auto& group = groups_[index / kGroupPages];
  if (!group) {
    group = std::make_shared<Group>();
  } else if (group.use_count() > 1) {
    group = std::make_shared<Group>(*group);
  }
  return (*group)[index % kGroupPages];
}

Page& Content::edit(std::uint64_t index) {
  auto& pointer = slot(index);
  if (!pointer) {
    pointer = std::make_shared<Page>();
    ++pages_used_;
  } else if (pointer.use_count() > 1) {
    pointer = std::make_shared<Page>(*pointer);
  }
  return *pointer;
}

void Content::share(std::uint64_t index, const Content& from) {
  PagePointer source;
  const auto group = from.groups_.find(index / kGroupPages);
  if (group != from.groups_.end()) source = (*group->second)[index % kGroupPages];
  auto& target = slot(index);
  pages_used_ += (source ? 1U : 0U);
  pages_used_ -= (target ? 1U : 0U);
  target = std::move(source);
}

std::uint64_t Content::growth(ByteRange range) const {
  if (range.length == 0) return 0;
  std::uint64_t missing = 0;
  const std::uint64_t last = (range.offset + range.length - 1) / kPageBytes;
  for (std::uint64_t index = range.offset / kPageBytes; index <= last; ++index) {
    missing += page(index) == nullptr ? 1U : 0U;
  }
  return missing * kPageBytes;
}

std::size_t Content::read(std::uint64_t offset, MutableBytes out) const {
  if (offset >= size_) return 0;
  const std::uint64_t length = std::min<std::uint64_t>(out.size(), size_ - offset);
  std::uint64_t done = 0;
  while (done < length) {
    const Piece piece = first_piece(offset + done, offset + length);
    const auto target = out.subspan(done, piece.length);
    if (const Page* source = page(piece.page)) {
      std::copy_n(source->begin() + static_cast<std::ptrdiff_t>(piece.start), piece.length,
                  target.begin());
    } else {
      std::fill(target.begin(), target.end(), std::byte{0});
    }
    done += piece.length;
  }
  return length;
}

void Content::write(std::uint64_t offset, ByteView data) {
  if (data.empty()) return;
  const std::uint64_t end = offset + data.size();
  std::uint64_t done = 0;
  while (done < data.size()) {
    const Piece piece = first_piece(offset + done, end);
    const auto source = data.subspan(done, piece.length);
    copy_bytes(source, MutableBytes(edit(piece.page)).subspan(piece.start));
    done += piece.length;
  }
  size_ = std::max(size_, end);
}

void Content::resize(std::uint64_t size) {
  const bool shrinks = size < size_;
  size_ = size;
  if (!shrinks) return;
  drop_from(pages_for(size));
  zero_tail();
}

void Content::punch(ByteRange range) {
  const std::uint64_t end = std::min(range.offset + range.length, size_);
  std::uint64_t at = range.offset;
  while (at < end) {
    const Piece piece = first_piece(at, end);
    at += piece.length;
    if (page(piece.page) == nullptr) continue;
    // The last page of the file is a whole one when nothing of it is left.
    if (piece.start == 0 && (piece.length == kPageBytes || at == size_)) {
      slot(piece.page).reset();
      --pages_used_;
    } else {
      std::fill_n(edit(piece.page).begin() + static_cast<std::ptrdiff_t>(piece.start), piece.length,
                  std::byte{0});
    }
  }
}

void Content::zero_tail() {
  const std::uint64_t used = size_ % kPageBytes;
  if (used == 0 || page(size_ / kPageBytes) == nullptr) return;
  Page& last = edit(size_ / kPageBytes);
  std::fill(last.begin() + static_cast<std::ptrdiff_t>(used), last.end(), std::byte{0});
}

void Content::drop_from(std::uint64_t index) {
  for (auto group = groups_.lower_bound(index / kGroupPages); group != groups_.end();) {
    const std::uint64_t first = group->first * kGroupPages;
    if (group->second.use_count() > 1) group->second = std::make_shared<Group>(*group->second);
    for (std::uint64_t i = std::max(first, index); i < first + kGroupPages; ++i) {
      auto& pointer = (*group->second)[i - first];
      pages_used_ -= pointer ? 1U : 0U;
      pointer.reset();
    }
    group = first >= index ? groups_.erase(group) : std::next(group);
  }
}

std::vector<ByteRange> Content::ranges() const {
  std::vector<ByteRange> result;
  for (const auto& [number, group] : groups_) {
    for (std::uint64_t i = 0; i < kGroupPages; ++i) {
      const std::uint64_t offset = (number * kGroupPages + i) * kPageBytes;
      if (!(*group)[i] || offset >= size_) continue;
      const std::uint64_t length = std::min(kPageBytes, size_ - offset);
      if (!result.empty() && result.back().offset + result.back().length == offset) {
        result.back().length += length;
      } else {
        result.push_back({.offset = offset, .length = length});
      }
    }
  }
  return result;
}

std::vector<std::uint64_t> Content::pages_unlike(const Content& other) const {
  std::set<std::uint64_t> numbers;
  for (const auto& [number, group] : groups_) {
    const auto twin = other.groups_.find(number);
    if (twin == other.groups_.end() || twin->second != group) numbers.insert(number);
  }
  for (const auto& [number, group] : other.groups_) {
    if (!groups_.contains(number)) numbers.insert(number);
  }
  std::vector<std::uint64_t> result;
  for (const std::uint64_t number : numbers) {
    for (std::uint64_t i = number * kGroupPages; i < (number + 1) * kGroupPages; ++i) {
      if (page(i) != other.page(i)) result.push_back(i);
    }
  }
  return result;
}

}  // namespace pagevault::sim
