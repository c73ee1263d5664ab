// SQLite's helper process, started beside other work.

#pragma once

#include <memory>
#include <optional>

#include "pagevault/base/env.h"
#include "pagevault/sqlitesupport/transaction_process.h"

namespace pagevault::cli {

/// It loads while the caller opens the repository: each takes some 10 ms, and a step not much more.
class StartingHelper {
 public:
  using Started = Result<std::unique_ptr<sqlitesupport::TransactionSource>>;

  explicit StartingHelper(Env& env);
  /// Waits for it; once. Errors: as of start_transaction_process.
  Started take();

 private:
  std::optional<Started> started_;     // Written by the starter's task.
  std::unique_ptr<Executor> starter_;  // Dies first.
};

}  // namespace pagevault::cli
