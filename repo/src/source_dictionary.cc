#include "pagevault/repo/source_dictionary.h"

#include <algorithm>

namespace pagevault::repo {

namespace {

// A judgement is passed on so many probes together: on 32 MiB of chunks.
constexpr std::uint64_t kProbesJudged = 8;
constexpr std::uint64_t kGainMinPercent = 2;
// Encoding with a dictionary takes half as long again or twice as long.
constexpr std::uint64_t kSavingMinPercent = 1;
// A dictionary of 512 KiB takes 4 ms to read, to prove and to load into zstd's tables.
constexpr std::uint64_t kBytesWithout = 128 * kKiB;

}  // namespace

Result<const SourceDictionary::Content*> SourceDictionary::content(const Access& access) {
  const std::lock_guard lock(mutex_);
  if (!tried_) {
    tried_ = true;
    if (const Bytes* fresh = std::get_if<Bytes>(&origin_)) {
      PV_TRY_ASSIGN(const ChunkId id, access.store(*fresh));
      content_ = Content{id, *fresh};
    } else {
      const ChunkId& id = std::get<ChunkId>(origin_);
      auto bytes = access.read(id);
      if (bytes) content_ = Content{id, std::move(bytes).value()};
    }
  }
  if (!content_) {
    is_unreadable_.store(true, std::memory_order_relaxed);
    pays_.store(false, std::memory_order_relaxed);
  }
  return content_ ? &*content_ : nullptr;
}

bool SourceDictionary::is_worth_reading(std::size_t bytes) {
  return is_fresh() || bytes_unread_.load(std::memory_order_relaxed) >= kBytesWithout ||
         bytes_unread_.fetch_add(bytes, std::memory_order_relaxed) >= kBytesWithout;
}

void SourceDictionary::add_probe(const Probe& probe) {
  const std::lock_guard lock(mutex_);
  sums_.plain += probe.plain;
  sums_.with += probe.with;
  sums_.without += probe.without;
  if (++probes_ % kProbesJudged != 0) return;
  const std::uint64_t least =
      std::max(sums_.without * kGainMinPercent, sums_.plain * kSavingMinPercent);
  pays_.store(sums_.with * 100 + least <= sums_.without * 100, std::memory_order_relaxed);
  sums_ = {};
}

}  // namespace pagevault::repo
