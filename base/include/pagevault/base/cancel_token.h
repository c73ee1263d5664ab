// A request to stop, set by a signal handler, looked at between steps of long work (F1.4), which
// also ends a wait (Env::wait_until).

#pragma once

#include <atomic>
#include <cstdint>

#include "pagevault/base/result.h"

namespace pagevault {

class CancelToken {
 public:
  /// Async-signal-safe; keeps errno.
  void cancel();
  bool cancelled() const { return word_.load(std::memory_order_relaxed) != 0; }
  /// Errors: Cancelled.
  Status check() const {
    if (cancelled()) return Error(ErrorCode::Cancelled, "interrupted");
    return ok();
  }
  /// Sleeps until CLOCK_MONOTONIC is at `deadline_ns` or this is cancelled. For LinuxEnv; everyone
  /// else waits by Env::wait_until.
  void sleep_until(std::int64_t deadline_ns) const;

 private:
  std::atomic<std::uint32_t> word_{0};  // A futex: 32 bits, and nothing else in it.
  static_assert(std::atomic<std::uint32_t>::is_always_lock_free);
  static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));
};

}  // namespace pagevault
