// A first-in first-out queue between threads that makes fast producers wait.

#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "pagevault/base/result.h"

namespace pagevault {

/// Holds `capacity` values at most. Thread-safe, any number of producers and consumers. Nobody may
/// be inside push or pop when it is destroyed.
template <class T>
class BoundedQueue {
 public:
  /// `capacity` is at least 1 (checked).
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) { PV_CHECK(capacity > 0); }
  BoundedQueue(const BoundedQueue&) = delete;
  BoundedQueue& operator=(const BoundedQueue&) = delete;

  /// Waits while the queue is full. False, and `value` is dropped, when the queue is closed.
  bool push(T value) {
    std::unique_lock lock(mutex_);
    not_full_.wait(lock, [this] { return values_.size() < capacity_ || closed_; });
    if (closed_) return false;
    values_.push_back(std::move(value));
    lock.unlock();
    not_empty_.notify_one();
    return true;
  }

  /// Waits for a value. Nothing when the queue is closed and everything pushed before was taken.
  std::optional<T> pop() {
    std::unique_lock lock(mutex_);
    not_empty_.wait(lock, [this] { return !values_.empty() || closed_; });
    if (values_.empty()) return std::nullopt;
    std::optional<T> value(std::move(values_.front()));
    values_.pop_front();
    lock.unlock();
    not_full_.notify_one();
    return value;
  }

  /// No more pushes; wakes everybody who waits. Idempotent.
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    not_empty_.notify_all();
    not_full_.notify_all();
  }

 private:
  const std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable not_empty_;
  std::condition_variable not_full_;
  std::deque<T> values_;  // Guarded by mutex_.
  bool closed_ = false;   // Guarded by mutex_.
};

}  // namespace pagevault
