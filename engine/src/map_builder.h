// Puts a stream's map together from spans that workers finish in any order.

#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "pagevault/repo/file_map.h"
#include "pagevault/repo/write_session.h"

namespace pagevault::engine {

/// Wakes whoever waits for maps to be finished.
class Completion {
 public:
  void notify();
  template <class Predicate>
  void wait(Predicate done) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, done);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

/// The map of one stream. The reading thread opens spans in order and closes the map; workers fill
/// extents. Shared by that thread and by every task of the stream.
class MapBuilder : public std::enable_shared_from_this<MapBuilder> {
 public:
  /// One span under construction.
  class Span {
   public:
    Span(std::shared_ptr<MapBuilder> map, std::size_t number, const ChunkId& predecessor)
        : map_(std::move(map)), number_(number), predecessor_(predecessor) {}
    /// A place for an extent that a task fills in before it calls extent_done. The reading thread
    /// only; pointers stay valid.
    repo::Extent* add_pending();
    /// An extent that is known already.
    void add(const repo::Extent& extent);
    /// A task has filled its extent, or failed.
    void extent_done();
    /// No more extents come; the reading thread calls it once, or close_as.
    void close() { extent_done(); }
    /// The same, when every extent turned out to be as in the node that is stored as `node`.
    /// Precondition (checked): nothing was pending.
    void close_as(const ChunkId& node);

   private:
    void finish();
    std::shared_ptr<MapBuilder> map_;
    std::size_t number_;
    ChunkId predecessor_;
    std::deque<repo::Extent> extents_;  // Stable addresses while it grows.
    std::atomic<std::size_t> open_{1};  // Pending extents, and the reading thread.
  };

  /// Session and completion outlive the builder. `predecessor`: the map of an earlier version of
  /// the stream, or an empty one; nodes and lists are stored as deltas of its.
  MapBuilder(repo::WriteSession& session, Completion& completion, repo::MapRoot predecessor)
      : session_(&session), completion_(&completion), predecessor_(std::move(predecessor)) {}

  /// The next span, in order. `predecessor`: the earlier node of this span; zero: none.
  std::shared_ptr<Span> begin_span(const ChunkId& predecessor);
  /// The next span is what an earlier map already has: its node, or zero for a hole.
  void add_known_span(const ChunkId& node);
  /// No more spans come.
  void close(std::uint64_t length);
  /// First error wins; the map is then useless.
  void fail(const Error& error);

  bool done() const { return open_.load(std::memory_order_acquire) == 0; }
  /// After done(): the map, storing node lists where they are needed. Called once.
  Result<repo::MapRoot> take();
  /// After done(): the CRC-32C of each span's bytes; nothing for those taken over undecoded.
  std::vector<std::optional<std::uint32_t>> take_span_crcs();
  std::uint64_t length() const { return length_; }

 private:
  friend class Span;
  void span_done(std::size_t number, const repo::SpanNode& extents, const ChunkId& predecessor);
  void known_span_done(std::size_t number, const ChunkId& node);
  void part_done();
  Result<repo::MapRoot> lists();

  repo::WriteSession* session_;
  Completion* completion_;
  const repo::MapRoot predecessor_;
  std::uint64_t length_ = 0;
  std::mutex mutex_;
  std::vector<ChunkId> nodes_;                      // Guarded by mutex_.
  std::vector<std::optional<std::uint32_t>> crcs_;  // Guarded by mutex_: of each span.
  Bytes small_first_;             // Guarded by mutex_: encoded first node when it may go inline.
  std::optional<Error> failure_;  // Guarded by mutex_.
  std::atomic<std::size_t> open_{1};  // Spans, and the reading thread.
};

/// Joins neighbouring holes, so that equal content has equal nodes however it was cut.
repo::SpanNode with_joined_holes(const std::deque<repo::Extent>& extents);

}  // namespace pagevault::engine
