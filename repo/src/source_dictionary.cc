#include "pagevault/repo/source_dictionary.h"

namespace pagevault::repo {

namespace {

// A judgement is passed on so many probes together: on 32 MiB of chunks.
constexpr std::uint64_t kProbesJudged = 8;
constexpr std::uint64_t kGainMinPercent = 2;

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

void SourceDictionary::add_probe(std::size_t with, std::size_t without) {
  const std::lock_guard lock(mutex_);
  with_ += with;
  without_ += without;
  if (++probes_ % kProbesJudged != 0) return;
  pays_.store(with_ * 100 <= without_ * (100 - kGainMinPercent), std::memory_order_relaxed);
  with_ = without_ = 0;
}

}  // namespace pagevault::repo
