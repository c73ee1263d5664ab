// Read transactions in a helper process.

#pragma once

#include <memory>

#include "pagevault/sqlitesupport/helper_program.h"
#include "pagevault/sqlitesupport/read_transaction.h"

namespace pagevault::sqlitesupport {

class SharedHelper;

/// A helper that was started and is perhaps still loading, which takes some milliseconds.
class StartingProcess {
 public:
  /// Errors: Io (cannot be started).
  static Result<StartingProcess> start(const HelperProgram& program = {});

  /// Waits until it answers; once. The helper ends with the last of the source and its
  /// transactions, or before that when the source is finished and no transaction is left.
  /// Thread-safe, but one request at a time: a begin that waits for a lock (at most 5 s) keeps the
  /// others waiting.
  ///
  /// A helper that dies takes its transactions along: every later call on them and on the source
  /// answers Io "the sqlite helper ended unexpectedly"; a new source works.
  /// Errors: Io (does not answer as a helper).
  Result<std::unique_ptr<TransactionSource>> take();

 private:
  explicit StartingProcess(std::shared_ptr<SharedHelper> helper) : helper_(std::move(helper)) {}
  std::shared_ptr<SharedHelper> helper_;
};

/// Both in a row.
Result<std::unique_ptr<TransactionSource>> start_transaction_process(
    const HelperProgram& program = {});

}  // namespace pagevault::sqlitesupport
