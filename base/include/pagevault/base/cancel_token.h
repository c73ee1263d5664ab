// A request to stop, set by a signal handler, looked at between steps of long work (F1.4).

#pragma once

#include <atomic>

#include "pagevault/base/result.h"

namespace pagevault {

class CancelToken {
 public:
  /// Async-signal-safe.
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }
  /// Errors: Cancelled.
  Status check() const {
    if (cancelled()) return Error(ErrorCode::Cancelled, "interrupted");
    return ok();
  }

 private:
  std::atomic<bool> cancelled_{false};
  static_assert(std::atomic<bool>::is_always_lock_free);
};

}  // namespace pagevault
