// A connection to SQLite, as short as tests like it.

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "pagevault/base/bytes.h"

struct sqlite3;

namespace pagevault::testing {

/// Closes itself. Codes are SQLite's (SQLITE_OK).
class Connection {
 public:
  /// In the default VFS, which a MemoryVfs is. Not open on failure: code() says why.
  explicit Connection(const std::string& name);
  /// Of an image in memory, of its own.
  static Connection of_image(ByteView image);
  ~Connection();
  Connection(Connection&& other) noexcept;
  Connection& operator=(Connection&&) = delete;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int exec(const std::string& sql);
  /// First column of the first row; nothing when there is none, or on failure.
  std::optional<std::string> text(const std::string& sql);
  std::optional<std::int64_t> number(const std::string& sql);
  /// Of the last failure.
  std::string message() const;
  sqlite3* raw() const { return db_; }

 private:
  explicit Connection(sqlite3* db) : db_(db) {}
  sqlite3* db_ = nullptr;
};

/// All pages as this connection sees them, read through SQLite's pager; empty on failure.
Bytes image_of(sqlite3* db);

}  // namespace pagevault::testing
