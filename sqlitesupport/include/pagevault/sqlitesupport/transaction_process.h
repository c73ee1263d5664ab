// Read transactions in a helper process.

#pragma once

#include <memory>

#include "pagevault/sqlitesupport/helper_program.h"
#include "pagevault/sqlitesupport/read_transaction.h"

namespace pagevault::sqlitesupport {

/// Starts a helper; it ends with the last of the source and its transactions. Thread-safe, but one
/// request at a time: a begin that waits for a lock (at most 5 s) keeps the others waiting.
///
/// A helper that dies takes its transactions along: every later call on them and on the source
/// answers Io "the sqlite helper ended unexpectedly"; a new source works.
/// Errors: Io (cannot be started, or does not answer as a helper).
Result<std::unique_ptr<TransactionSource>> start_transaction_process(
    const HelperProgram& program = {});

}  // namespace pagevault::sqlitesupport
