// The wait is on a futex: no signal between "is it cancelled?" and the sleep gets lost, whichever
// thread its handler runs on, and nobody has to wake up now and then to look. A condition variable
// may not be used by a signal handler, and std::atomic::wait knows no deadline.

#include "pagevault/base/cancel_token.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>

namespace pagevault {

void CancelToken::cancel() {
  word_.store(1, std::memory_order_relaxed);
  const int before = errno;
  ::syscall(SYS_futex, &word_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
  errno = before;
}

void CancelToken::sleep_until(std::int64_t deadline_ns) const {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::int64_t at = std::max<std::int64_t>(deadline_ns, 0);
  const timespec deadline{.tv_sec = at / kSecond, .tv_nsec = at % kSecond};
  while (!cancelled()) {
    // BITSET: unlike plain FUTEX_WAIT its deadline is a time of the monotonic clock, not a length.
    const long woken = ::syscall(SYS_futex, &word_, FUTEX_WAIT_BITSET_PRIVATE, 0, &deadline,
                                 nullptr, FUTEX_BITSET_MATCH_ANY);
    if (woken != 0 && errno != EINTR && errno != EAGAIN) return;  // ETIMEDOUT.
  }
}

}  // namespace pagevault
