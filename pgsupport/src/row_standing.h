// Whether a version of a row is what a new transaction would see, as far as files tell.
// Source: PostgreSQL, src/backend/access/heap/heapam_visibility.c.

#pragma once

#include "heap_page.h"
#include "transaction_log.h"

namespace pagevault::pgsupport {

/// In the order of trust.
enum class RowStanding : std::uint8_t {
  Dead,       ///< Deleted, replaced, or never committed.
  Undecided,  ///< Depends on a transaction that nothing is known of.
  Live
};

/// By hint bits; `log` is asked where they do not say. Errors: of the log.
Result<RowStanding> standing_of(const HeapTuple& tuple, TransactionLog& log);

}  // namespace pagevault::pgsupport
