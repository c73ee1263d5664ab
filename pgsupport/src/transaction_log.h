// pg_xact: which transactions were committed, as far as a data directory tells without a server.
// Source: PostgreSQL, src/backend/access/transam/clog.c.

#pragma once

#include <cstdint>
#include <map>

#include "pagevault/pgsupport/catalog.h"

namespace pagevault::pgsupport {

enum class TransactionState : std::uint8_t {
  Unknown,  ///< In progress when the file was written, or not to be read.
  Committed,
  Aborted
};

/// Reads segments when they are needed and keeps them. Not thread-safe.
class TransactionLog {
 public:
  TransactionLog(std::uint32_t block_bytes, CatalogFileReader read);

  /// Errors: of the reader, but NotFound.
  Result<TransactionState> state_of(std::uint32_t transaction);

 private:
  Result<const Bytes*> segment(std::uint32_t number);

  std::uint32_t segment_bytes_;
  CatalogFileReader read_;
  std::map<std::uint32_t, Bytes> segments_;  // Empty: not there.
};

}  // namespace pagevault::pgsupport
