#include "pagevault/repo/delta_policy.h"

#include <fmt/format.h>

#include <algorithm>

namespace pagevault::repo {

namespace {

// Auto: how fast reading bases must save bytes, and how long it may take to show that it does.
constexpr std::int64_t kSavedPerSecondMin = 1 * kMiB;
constexpr std::int64_t kGraceNs = 5'000'000'000;

}  // namespace

Result<DeltaMode> delta_mode_from_name(std::string_view name) {
  if (name == "auto") return DeltaMode::Auto;
  if (name == "always") return DeltaMode::Always;
  if (name == "never") return DeltaMode::Never;
  return Error(ErrorCode::InvalidArgument,
               fmt::format("delta is auto, always or never, not '{}'", name));
}

std::size_t delta_bytes_max(const BlobEntry& base, std::size_t plain_bytes) {
  // Map nodes are hashes: they do not shrink, and most of a node may change at each step, so the
  // next base is worth less than with data.
  const std::size_t share =
      base.type == BlobType::Metadata ? base.stored_bytes * 2 / 3 : base.stored_bytes / 3;
  // A base that is nearly empty must not forbid a small delta.
  return std::max(share, plain_bytes / 32);
}

bool DeltaTrial::wants_attempt() {
  constexpr unsigned kAttemptEvery = 16;
  return pays() || calls_.fetch_add(1, std::memory_order_relaxed) % kAttemptEvery == 0;
}

void DeltaTrial::add(bool came_out) {
  // Two workers may both write: a lost step does no harm.
  const int credit = credit_.load(std::memory_order_relaxed);
  const int next = came_out ? std::min(credit + kCreditOfSuccess, kCreditMax) : credit - 1;
  credit_.store(std::max(next, 0), std::memory_order_relaxed);
}

bool DeltaPolicy::reads_bases() const {
  if (mode_ != DeltaMode::Auto) return mode_ == DeltaMode::Always;
  const std::int64_t spent = spent_ns_.load(std::memory_order_relaxed);
  if (spent < kGraceNs) return true;
  const std::int64_t saved = saved_bytes_.load(std::memory_order_relaxed);
  return saved / kSavedPerSecondMin >= spent / 1'000'000'000;
}

}  // namespace pagevault::repo
