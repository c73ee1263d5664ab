// The dictionary that the plain chunks of one source are encoded with, and whether it still pays.
// docs/adr/0009-dictionaries.md.

#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <variant>

#include "pagevault/base/digest.h"
#include "pagevault/base/result.h"

namespace pagevault::repo {

/// Shared by the thread that reads the source and the workers that encode it. Thread-safe.
class SourceDictionary {
 public:
  struct Content {
    ChunkId id;
    Bytes bytes;
  };

  /// Made for this source; stored when it is first used.
  explicit SourceDictionary(Bytes fresh) : origin_(std::move(fresh)) {}
  /// What an earlier version of the source was encoded with; read when it is first used.
  explicit SourceDictionary(const ChunkId& stored) : origin_(stored) {}

  /// Stores fresh content and returns its id, or reads what is stored.
  struct Access {
    std::function<Result<ChunkId>(ByteView fresh)> store;
    std::function<Result<Bytes>(const ChunkId& stored)> read;
  };
  /// The content; `access` is used at most once. Null: it cannot be read, go on without. Errors: of
  /// `access.store`.
  Result<const Content*> content(const Access& access);

  /// False while it does not make chunks smaller by at least 2 %, as what it was made of is not
  /// like what comes now, or saves less than a hundredth of the plain bytes, as they are that small
  /// without it. Probes go on, so that it may pay again later in the file.
  bool pays() const { return pays_.load(std::memory_order_relaxed); }
  /// There is nothing to be had from it, not even for probes.
  bool is_unreadable() const { return is_unreadable_.load(std::memory_order_relaxed); }
  bool is_fresh() const { return std::holds_alternative<Bytes>(origin_); }

  /// False for the first chunks of `bytes` each, two or so, when it must be read: to fetch it and
  /// to make zstd's tables of it costs more than it saves them, and most steps store no more.
  bool is_worth_reading(std::size_t bytes);

  /// True for every 64th chunk, which is then encoded without the dictionary, too.
  bool is_probe() { return chunks_.fetch_add(1, std::memory_order_relaxed) % kProbeEvery == 0; }
  /// Bytes of one chunk.
  struct Probe {
    std::size_t plain = 0;
    std::size_t with = 0;     ///< Encoded with the dictionary.
    std::size_t without = 0;  ///< And without.
  };
  void add_probe(const Probe& probe);

 private:
  static constexpr std::uint64_t kProbeEvery = 64;

  const std::variant<Bytes, ChunkId> origin_;
  std::atomic<bool> pays_{true};
  std::atomic<bool> is_unreadable_{false};
  std::atomic<std::uint64_t> chunks_{0};
  std::atomic<std::uint64_t> bytes_unread_{0};  // Asked for while it need not be read.

  std::mutex mutex_;
  bool tried_ = false;              // Guarded by mutex_.
  std::optional<Content> content_;  // Guarded by mutex_ until tried_.
  std::uint64_t probes_ = 0;        // Guarded by mutex_, as are the sums.
  Probe sums_;
};

}  // namespace pagevault::repo
