#include "delta_matcher.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "pagevault/base/result.h"

namespace pagevault::repo {

namespace {

// Shorter matches cost more than the bytes they save.
constexpr std::size_t kRunMin = 4;
constexpr std::size_t kMovedRunMin = 8;
// A run in the same place that is at least so long is taken without a look elsewhere.
constexpr std::size_t kGoodRun = 32;
// So many bytes without a match are looked for in the tables: a value that has changed in place is
// over by then, and what has moved is extended backwards.
constexpr std::size_t kLostNear = 4;
constexpr std::size_t kLostFar = 64;
// The longer nothing is found, the rarer are look-ups: by 3, 5, 7 bytes, odd to meet all samples.
constexpr std::size_t kHopeBytes = 128;
constexpr std::size_t kNearBytes = 4 * kKiB;  // A page of SQLite, half of one of PostgreSQL.
constexpr std::size_t kNearStep = 4;
constexpr std::size_t kFarStep = 16;
constexpr std::size_t kStride = 512;
constexpr int kTableLog = 12;
constexpr std::size_t kWord = 8;  // What is looked for in the tables.

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

std::size_t slot_of(ByteView bytes, std::size_t at) {
  return static_cast<std::size_t>((load<std::uint64_t>(bytes, at) * 0x9e37'79b9'7f4a'7c15U) >>
                                  (64 - kTableLog));
}

}  // namespace

std::span<const ZSTD_Sequence> DeltaMatcher::find(ByteView plain, ByteView base) {
  PV_CHECK(plain.size() <= kPlainBytesMax);
  plain_ = plain;
  base_ = base;
  found_.clear();
  literals_ = 0;
  be_certain(0);
  moved_by_ = base_.size();
  near_stretch_ = SIZE_MAX;
  far_is_made_ = false;
  for (std::size_t at = 0; at + kRunMin <= plain_.size();) {
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

inline ByteView DeltaMatcher::bytes_from(std::size_t position) const {
  if (position < base_.size()) return base_.subspan(position);
  return plain_.subspan(position - base_.size());
}

// Nearly all candidates are none: told inline.
inline bool DeltaMatcher::starts_alike(std::size_t at, std::size_t position) const {
  // The tables also hold what other chunks left behind.
  if (position >= base_.size() + at) return false;
  const ByteView from = bytes_from(position);
  return from.size() >= kRunMin && load<std::uint32_t>(plain_, at) == load<std::uint32_t>(from, 0);
}

inline DeltaMatcher::Match DeltaMatcher::match_at(std::size_t at, std::size_t position) const {
  if (!starts_alike(at, position)) return {};
  return {at, position, equal_run(plain_.subspan(at), bytes_from(position))};
}

DeltaMatcher::Match DeltaMatcher::best_at(std::size_t at) {
  Match best = match_at(at, at);
  if (best.length >= kGoodRun) return best;
  if (moved_by_ <= base_.size() + at) {
    const Match moved = match_at(at, base_.size() + at - moved_by_);
    if (moved.length > best.length) best = moved;
  }
  if (best.length >= kGoodRun || at < look_up_next_) return best;
  if (at + kWord > plain_.size()) return best;
  const Match found = look_up(at);
  return found.length > best.length ? found : best;
}

DeltaMatcher::Match DeltaMatcher::look_up(std::size_t at) {
  look_up_next_ = at + 1 + 2 * ((at - certain_) / kHopeBytes);
  index_near(at);
  const std::size_t slot = slot_of(plain_, at);
  Match found = match_at(at, near_[slot]);
  near_[slot] = static_cast<std::uint32_t>(base_.size() + at);
  if (found.length < kGoodRun && at >= certain_ + kLostFar) {
    index_far();
    const Match far = match_at(at, far_[slot]);
    if (far.length > found.length) found = far;
  }
  if (found.length < kMovedRunMin) return {};
  return extended_back(found);
}

DeltaMatcher::Match DeltaMatcher::extended_back(Match match) const {
  while (match.at > literals_ && match.position > 0 && match.position != base_.size() &&
         plain_[match.at - 1] == bytes_from(match.position - 1).front()) {
    --match.at;
    --match.position;
    ++match.length;
  }
  return match;
}

void DeltaMatcher::take(const Match& match) {
  const std::size_t offset = base_.size() + match.at - match.position;
  found_.push_back({.offset = static_cast<unsigned>(offset),
                    .litLength = static_cast<unsigned>(match.at - literals_),
                    .matchLength = static_cast<unsigned>(match.length),
                    .rep = 0});
  literals_ = match.at + match.length;
  if (match.length >= kGoodRun) be_certain(literals_);
  if (offset != base_.size()) moved_by_ = offset;
}

void DeltaMatcher::be_certain(std::size_t at) {
  certain_ = at;
  look_up_next_ = at + kLostNear;
}

void DeltaMatcher::index_near(std::size_t at) {
  if (near_stretch_ == at / kNearBytes) return;
  near_stretch_ = at / kNearBytes;
  const std::size_t begin = near_stretch_ * kNearBytes;
  const std::size_t end = std::min(begin + kNearBytes, base_.size());
  for (std::size_t from = begin; from + kWord <= end; from += kNearStep) {
    near_[slot_of(base_, from)] = static_cast<std::uint32_t>(from);
  }
}

void DeltaMatcher::index_far() {
  if (far_is_made_) return;
  far_is_made_ = true;
  for (std::size_t from = 0; from + kWord <= base_.size(); from += kFarStep) {
    far_[slot_of(base_, from)] = static_cast<std::uint32_t>(from);
  }
}

}  // namespace pagevault::repo
