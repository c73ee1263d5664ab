// Read transactions by SQLite itself, in this process. Inside the helper process only: see
// transaction_process.h, which everybody else uses.

#pragma once

#include <functional>

#include "pagevault/sqlitesupport/read_transaction.h"

namespace pagevault::sqlitesupport {

/// Transactions of a source are not thread-safe against each other.
class SqliteTransactionSource final : public TransactionSource {
 public:
  /// `between` runs in each try after SQLite took its lock and before the place in the log is
  /// looked at again: tests let writers commit there.
  explicit SqliteTransactionSource(std::function<void()> between = {})
      : between_(std::move(between)) {}

  Result<std::unique_ptr<ReadTransaction>> begin(const std::string& path) override;
  std::string sqlite_version() override;

 private:
  std::function<void()> between_;
};

}  // namespace pagevault::sqlitesupport
