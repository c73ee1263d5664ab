#include "row_standing.h"

namespace pagevault::pgsupport {
namespace {

constexpr std::uint16_t kXmaxKeyShareLock = 0x0010;
constexpr std::uint16_t kXmaxExclusiveLock = 0x0040;
constexpr std::uint16_t kXmaxLockOnly = 0x0080;
constexpr std::uint16_t kXminCommitted = 0x0100;  // With kXminInvalid: frozen.
constexpr std::uint16_t kXminInvalid = 0x0200;
constexpr std::uint16_t kXmaxCommitted = 0x0400;
constexpr std::uint16_t kXmaxInvalid = 0x0800;
constexpr std::uint16_t kXmaxIsMulti = 0x1000;

bool has(const HeapTuple& tuple, unsigned bits) { return (tuple.infomask & bits) != 0; }

// The second form was written before PostgreSQL 9.3 and survives pg_upgrade.
bool is_only_locked(const HeapTuple& tuple) {
  constexpr unsigned kForm = kXmaxIsMulti | kXmaxExclusiveLock | kXmaxKeyShareLock;
  return has(tuple, kXmaxLockOnly) || (tuple.infomask & kForm) == kXmaxExclusiveLock;
}

Result<TransactionState> inserted(const HeapTuple& tuple, TransactionLog& log) {
  if (has(tuple, kXminCommitted)) return TransactionState::Committed;
  if (has(tuple, kXminInvalid)) return TransactionState::Aborted;
  return log.state_of(tuple.xmin);
}

Result<TransactionState> deleted(const HeapTuple& tuple, TransactionLog& log) {
  if (has(tuple, kXmaxInvalid) || tuple.xmax == 0 || is_only_locked(tuple)) {
    return TransactionState::Aborted;
  }
  if (has(tuple, kXmaxCommitted)) return TransactionState::Committed;
  // Its members are in pg_multixact; rows of catalogs hardly ever have one.
  if (has(tuple, kXmaxIsMulti)) return TransactionState::Unknown;
  // What a transaction made and replaced nobody else ever sees.
  if (tuple.xmax == tuple.xmin) return TransactionState::Committed;
  return log.state_of(tuple.xmax);
}

}  // namespace

Result<RowStanding> standing_of(const HeapTuple& tuple, TransactionLog& log) {
  using enum TransactionState;
  PV_TRY_ASSIGN(const TransactionState made, inserted(tuple, log));
  if (made == Aborted) return RowStanding::Dead;
  PV_TRY_ASSIGN(const TransactionState gone, deleted(tuple, log));
  if (gone == Committed) return RowStanding::Dead;
  return made == Committed && gone == Aborted ? RowStanding::Live : RowStanding::Undecided;
}

}  // namespace pagevault::pgsupport
