#include "delta_matcher.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace pagevault::repo {

namespace {

// Shorter matches cost more than the bytes they save.
constexpr std::size_t kRunMin = 4;
constexpr std::size_t kMovedRunMin = 6;
// A run in the same place that is at least so long is taken without a look elsewhere.
constexpr std::size_t kGoodRun = 32;
// So many bytes without a match are looked for in the tables: a value that has changed in place is
// over by then, and what has moved is extended backwards.
constexpr std::size_t kLostNear = 8;
constexpr std::size_t kLostFar = 64;
constexpr std::size_t kNearBytes = 4 * kKiB;  // A page of SQLite, half of one of PostgreSQL.
constexpr std::size_t kFarStep = 16;
constexpr std::size_t kStride = 512;
constexpr std::size_t kNearWord = 4;
constexpr std::size_t kFarWord = 8;

template <class Word>
Word load(ByteView bytes, std::size_t at) {
  Word word = 0;
  std::memcpy(&word, bytes.data() + at, sizeof word);
  return word;
}

// How many bytes at the start of both words are equal, as they lie in memory.
std::size_t equal_bytes_of(std::uint64_t a, std::uint64_t b) {
  const int bits = std::endian::native == std::endian::little ? std::countr_zero(a ^ b)
                                                              : std::countl_zero(a ^ b);
  return static_cast<std::size_t>(bits) / 8;
}

// How many bytes at the start are equal. Long runs go at memcmp's speed.
std::size_t equal_run(ByteView a, ByteView b) {
  const std::size_t end = std::min(a.size(), b.size());
  std::size_t at = 0;
  while (at + sizeof(std::uint64_t) <= end) {
    const std::size_t equal =
        equal_bytes_of(load<std::uint64_t>(a, at), load<std::uint64_t>(b, at));
    if (equal < sizeof(std::uint64_t)) return at + equal;
    at += sizeof(std::uint64_t);
    if (at % kStride != 0) continue;
    while (end - at >= kStride && equal_bytes(a.subspan(at, kStride), b.subspan(at, kStride))) {
      at += kStride;
    }
  }
  while (at < end && a[at] == b[at]) ++at;
  return at;
}

std::size_t near_slot(ByteView bytes, std::size_t at, int table_log) {
  return (load<std::uint32_t>(bytes, at) * 2'654'435'761U) >> (32 - table_log);
}

std::size_t far_slot(ByteView bytes, std::size_t at, int table_log) {
  return static_cast<std::size_t>((load<std::uint64_t>(bytes, at) * 0x9e37'79b9'7f4a'7c15U) >>
                                  (64 - table_log));
}

}  // namespace

std::span<const ZSTD_Sequence> DeltaMatcher::find(ByteView plain, ByteView base) {
  PV_CHECK(plain.size() <= kPlainBytesMax);
  plain_ = plain;
  base_ = base;
  found_.clear();
  literals_ = 0;
  shift_ = 0;
  near_stretch_ = SIZE_MAX;
  far_is_made_ = false;
  for (std::size_t at = 0; at + kNearWord <= plain_.size();) {
    const Match match = best_at(at);
    if (match.length != 0) take(match);
    at = std::max(at + 1, literals_);
  }
  found_.push_back({.offset = 0,
                    .litLength = static_cast<unsigned>(plain_.size() - literals_),
                    .matchLength = 0,
                    .rep = 0});
  return found_;
}

DeltaMatcher::Match DeltaMatcher::match_at(std::size_t at, std::size_t from) const {
  if (from + kNearWord > base_.size()) return {};
  if (load<std::uint32_t>(plain_, at) != load<std::uint32_t>(base_, from)) return {};
  return {at, from, equal_run(plain_.subspan(at), base_.subspan(from))};
}

DeltaMatcher::Match DeltaMatcher::match_shifted(std::size_t at) const {
  const auto from = static_cast<std::ptrdiff_t>(at) + shift_;
  if (shift_ == 0 || from < 0) return {};
  return match_at(at, static_cast<std::size_t>(from));
}

DeltaMatcher::Match DeltaMatcher::best_at(std::size_t at) {
  const Match same = match_at(at, at);
  if (same.length >= kGoodRun) return same;
  const Match shifted = match_shifted(at);
  if (shifted.length > same.length) return shifted;
  if (same.length != 0) return same;
  return at - literals_ >= kLostNear ? match_moved(at) : Match{};
}

DeltaMatcher::Match DeltaMatcher::match_moved(std::size_t at) {
  index_near(at);
  Match found = match_at(at, near_[near_slot(plain_, at, kNearTableLog)]);
  if (found.length < kGoodRun && at - literals_ >= kLostFar && at + kFarWord <= plain_.size()) {
    index_far();
    const Match far = match_at(at, far_[far_slot(plain_, at, kFarTableLog)]);
    if (far.length > found.length) found = far;
  }
  found = extended_back(found);
  return found.length >= kMovedRunMin ? found : Match{};
}

DeltaMatcher::Match DeltaMatcher::extended_back(Match match) const {
  while (match.at > literals_ && match.from > 0 && plain_[match.at - 1] == base_[match.from - 1]) {
    --match.at;
    --match.from;
    ++match.length;
  }
  return match;
}

void DeltaMatcher::take(const Match& match) {
  found_.push_back({.offset = static_cast<unsigned>(base_.size() + match.at - match.from),
                    .litLength = static_cast<unsigned>(match.at - literals_),
                    .matchLength = static_cast<unsigned>(match.length),
                    .rep = 0});
  literals_ = match.at + match.length;
  if (match.at != match.from) {
    shift_ = static_cast<std::ptrdiff_t>(match.from) - static_cast<std::ptrdiff_t>(match.at);
  }
}

void DeltaMatcher::index_near(std::size_t at) {
  if (near_stretch_ == at / kNearBytes) return;
  near_stretch_ = at / kNearBytes;
  const std::size_t begin = near_stretch_ * kNearBytes;
  const std::size_t end = std::min(begin + kNearBytes, base_.size());
  for (std::size_t from = begin; from + kNearWord <= end; ++from) {
    near_[near_slot(base_, from, kNearTableLog)] = static_cast<std::uint32_t>(from);
  }
}

void DeltaMatcher::index_far() {
  if (far_is_made_) return;
  far_is_made_ = true;
  for (std::size_t from = 0; from + kFarWord <= base_.size(); from += kFarStep) {
    far_[far_slot(base_, from, kFarTableLog)] = static_cast<std::uint32_t>(from);
  }
}

}  // namespace pagevault::repo
