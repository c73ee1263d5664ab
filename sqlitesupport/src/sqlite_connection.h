// A read-only connection to SQLite, closed to whatever a hostile database may try (S18), and its
// statements. Used inside the helper process only (transaction_process.h): whoever closes a raw
// descriptor of a database loses the locks of all its connections in that process (F8.11).

#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"

namespace pagevault::sqlitesupport {

/// What `db` reports of its last call, as one of our codes; `result` is that call's answer. Locked
/// errors say what helps.
Error sqlite_error(sqlite3* db, int result);

/// A prepared statement; dies before its connection.
class SqliteStatement {
 public:
  /// True when there is a row.
  Result<bool> step();
  /// Sets parameter `index` (from 1); `text` stays valid until the next reset.
  Status bind_text(int index, std::string_view text);
  /// Ends its rows: it may begin again.
  Status reset();
  int columns() const { return sqlite3_column_count(statement_.get()); }
  int type(int column) const { return sqlite3_column_type(statement_.get(), column); }
  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  double real(int column) const { return sqlite3_column_double(statement_.get(), column); }
  /// Bytes of a text or blob as they are stored; valid until the next call for this column or step.
  ByteView stored(int column) const;
  /// As UTF-8; empty for NULL. Valid likewise.
  std::string_view text(int column) const;

 private:
  friend class SqliteConnection;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// Movable, not thread-safe.
class SqliteConnection {
 public:
  /// `name` is an absolute path. Nothing is read but the header.
  static Result<SqliteConnection> open(const std::string& name);
  /// A file nobody writes, kInheritedFilePath too: no locks, no log, no journal is looked at.
  static Result<SqliteConnection> open_immutable(const std::string& path);

  Result<SqliteStatement> prepare(std::string_view sql);
  Status run(std::string_view sql);
  /// First column of the first row.
  Result<std::int64_t> integer(std::string_view sql);
  Result<std::string> text(std::string_view sql);
  Status close();
  /// Asks now and then while statements run; true ends them with Cancelled.
  void interrupt_when(std::function<bool()> abandoned);

  sqlite3* handle() const { return db_.get(); }

 private:
  static Result<SqliteConnection> open_with(const std::string& name, int flags, const char* vfs);
  Status restrict();

  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  std::unique_ptr<std::function<bool()>> abandoned_;  // SQLite holds its address.
  std::unique_ptr<sqlite3, Close> db_;
};

}  // namespace pagevault::sqlitesupport
