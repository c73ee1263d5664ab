// When a chunk is stored as a delta, and when its base is worth reading. docs/adr/0010-deltas.md.

#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "pagevault/base/result.h"
#include "pagevault/repo/blob.h"

namespace pagevault::repo {

enum class DeltaMode : std::uint8_t { Auto, Always, Never };
/// Errors: InvalidArgument.
Result<DeltaMode> delta_mode_from_name(std::string_view name);

/// The most bytes that a delta of a chunk of `plain_bytes` onto `base` may take; beyond, the chunk
/// is stored plain and becomes the base of those that follow. What plain would take is judged by
/// what the base takes, for the two are versions of one page range.
std::size_t delta_bytes_max(const BlobEntry& base, std::size_t plain_bytes);

/// Decides for one session whether bases are read. Thread-safe.
///
/// Auto reads them as long as that pays: the bytes that deltas save must come in faster than a slow
/// network would carry them (kSavedPerSecondMin). A disk, a NAS and a LAN are far above, a store
/// where every read takes tens of milliseconds is not.
class DeltaPolicy {
 public:
  explicit DeltaPolicy(DeltaMode mode) : mode_(mode) {}

  bool reads_bases() const;
  /// Bases were read in `spent_ns`.
  void add_reading(std::int64_t spent_ns) { spent_ns_.fetch_add(spent_ns); }
  /// A delta took so many bytes less than its base does.
  void add_saving(std::int64_t bytes) { saved_bytes_.fetch_add(bytes); }

 private:
  const DeltaMode mode_;
  std::atomic<std::int64_t> spent_ns_{0};
  std::atomic<std::int64_t> saved_bytes_{0};
};

/// Whether chunks of one source come out as deltas, and as small ones. Where everything has moved
/// (VACUUM), reading bases and failing costs several times what storing plain does, and cuts kept
/// from the parent hide what content would find again. Thread-safe.
class DeltaTrial {
 public:
  /// False after a row of failures; then every 16th call says true, to see whether it is over.
  bool wants_attempt();
  /// A chunk of `plain_bytes` became a delta of so many bytes; nothing: it did not.
  void add(std::size_t plain_bytes, std::optional<std::size_t> delta_bytes);
  /// True while pages change in place: deltas are small.
  bool changes_in_place() const { return in_place_.load(std::memory_order_relaxed) > 0; }

 private:
  static constexpr int kCreditMax = 32;

  std::atomic<int> come_out_{kCreditMax};
  std::atomic<int> in_place_{kCreditMax};
  std::atomic<unsigned> calls_{0};
};

}  // namespace pagevault::repo
