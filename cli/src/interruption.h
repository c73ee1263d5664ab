// Signals: the first asks the work to stop at a safe point, the second ends the process at once.
// F1.4. Both are safe: nothing that was acknowledged depends on a tidy end (I2, I12).

#pragma once

#include "pagevault/base/cancel_token.h"

namespace pagevault::cli {

/// SIGINT, SIGTERM and SIGHUP interrupt; SIGPIPE and SIGXFSZ become errors of the call. A SIGHUP
/// that was ignored before (nohup) stays so. While no CancelOnSignal lives, the first signal ends
/// the process with code 130.
void install_signal_handlers();

/// While it lives, the first signal cancels `token`, which must outlive it. Nests.
class CancelOnSignal {
 public:
  explicit CancelOnSignal(CancelToken& token);
  ~CancelOnSignal();
  CancelOnSignal(const CancelOnSignal&) = delete;
  CancelOnSignal& operator=(const CancelOnSignal&) = delete;

 private:
  CancelToken* before_;
};

}  // namespace pagevault::cli
