// Read transactions by SQLite itself, in this process. Inside the helper process only: see
// transaction_process.h, which everybody else uses.

#pragma once

#include "pagevault/sqlitesupport/read_transaction.h"

namespace pagevault::sqlitesupport {

/// Transactions of a source are not thread-safe against each other.
class SqliteTransactionSource final : public TransactionSource {
 public:
  SqliteTransactionSource() = default;

  Result<std::unique_ptr<ReadTransaction>> begin(const std::string& path) override;
  std::string sqlite_version() override;
};

}  // namespace pagevault::sqlitesupport
