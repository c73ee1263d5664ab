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
  // Never longer than the chunk itself, which the format would refuse.
  return std::min(std::max(share, plain_bytes / 32), plain_bytes - (plain_bytes + 31) / 32);
}

bool DeltaTrial::wants_attempt() {
  constexpr unsigned kAttemptEvery = 16;
  return come_out_.load(std::memory_order_relaxed) > 0 ||
         calls_.fetch_add(1, std::memory_order_relaxed) % kAttemptEvery == 0;
}

void DeltaTrial::add(std::size_t plain_bytes, std::optional<std::size_t> delta_bytes) {
  constexpr int kCreditOfSuccess = 8;
  // Rows changed in place take a hundredth of a chunk, a chunk whose pages have moved by some takes
  // what moved in.
  constexpr std::size_t kSmallShare = 16;
  const auto count = [](std::atomic<int>& credit, bool success) {
    // Two workers may both write: a lost step does no harm.
    const int now = credit.load(std::memory_order_relaxed);
    credit.store(std::clamp(now + (success ? kCreditOfSuccess : -1), 0, kCreditMax),
                 std::memory_order_relaxed);
  };
  count(come_out_, delta_bytes.has_value());
  count(in_place_, delta_bytes && *delta_bytes <= plain_bytes / kSmallShare);
}

bool DeltaPolicy::reads_bases() const {
  if (mode_ != DeltaMode::Auto) return mode_ == DeltaMode::Always;
  const std::int64_t spent = spent_ns_.load(std::memory_order_relaxed);
  if (spent < kGraceNs) return true;
  const std::int64_t saved = saved_bytes_.load(std::memory_order_relaxed);
  return saved / kSavedPerSecondMin >= spent / 1'000'000'000;
}

}  // namespace pagevault::repo
