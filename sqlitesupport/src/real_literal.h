// Reals as SQL text that is the same real again, bit by bit.

#pragma once

#include <optional>
#include <string>

#include "sqlite_connection.h"

namespace pagevault::sqlitesupport {

/// SQLite before 3.43 reads about one in three hundred decimal numbers as the next real beside the
/// right one (3.40.1, random bit patterns, 20 digits). So each is tried; for those that fail an
/// exact product of powers of two is written.
class RealLiterals {
 public:
  /// `connection` outlives it.
  explicit RealLiterals(SqliteConnection& connection) : connection_(connection) {}

  /// `value` is no NaN: SQLite has none.
  Result<std::string> of(double value);

 private:
  Result<double> as_read_by_sqlite(std::string_view text);

  SqliteConnection& connection_;
  std::optional<SqliteStatement> reading_;
};

}  // namespace pagevault::sqlitesupport
