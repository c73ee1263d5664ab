#include "transaction_log.h"

#include <fmt/format.h>

#include "catalog_file.h"

namespace pagevault::pgsupport {
namespace {

constexpr std::uint32_t kLogSegmentPages = 32;
constexpr std::uint32_t kTransactionsPerByte = 4;
// Rows that nobody has looked at since they were written are of a few segments; 16 MiB with blocks
// of 8 KiB. Beyond that nothing is known, so that odd rows cannot make us read for ever.
constexpr std::size_t kLogSegmentsMax = 64;
constexpr std::uint32_t kFirstNormal = 3;
constexpr unsigned kStatusCommitted = 1;
constexpr unsigned kStatusAborted = 2;

}  // namespace

TransactionLog::TransactionLog(std::uint32_t block_bytes, CatalogFileReader read)
    : segment_bytes_(block_bytes * kLogSegmentPages), read_(std::move(read)) {}

Result<const Bytes*> TransactionLog::segment(std::uint32_t number) {
  if (const auto found = segments_.find(number); found != segments_.end()) return &found->second;
  if (segments_.size() == kLogSegmentsMax) return nullptr;
  PV_TRY_ASSIGN(auto bytes,
                read_small_file(read_, fmt::format("pg_xact/{:04X}", number), segment_bytes_));
  return &segments_.emplace(number, std::move(bytes).value_or(Bytes())).first->second;
}

Result<TransactionState> TransactionLog::state_of(std::uint32_t transaction) {
  if (transaction == 0) return TransactionState::Aborted;
  if (transaction < kFirstNormal) return TransactionState::Committed;
  const std::uint32_t byte = transaction / kTransactionsPerByte;
  PV_TRY_ASSIGN(const Bytes* const found, segment(byte / segment_bytes_));
  const std::size_t at = byte % segment_bytes_;
  if (found == nullptr || at >= found->size()) return TransactionState::Unknown;
  const unsigned shift = transaction % kTransactionsPerByte * 2;
  const unsigned status = std::to_integer<unsigned>((*found)[at]) >> shift & 3U;
  if (status == kStatusCommitted) return TransactionState::Committed;
  return status == kStatusAborted ? TransactionState::Aborted : TransactionState::Unknown;
}

}  // namespace pagevault::pgsupport
