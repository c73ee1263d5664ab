// A read transaction of SQLite on one database. While it lasts, what it sees can be read from the
// database file and its write-ahead log by other means than SQLite (database_image.h), in large
// pieces and by another process: only the transaction's locks are needed, not its connection.
//
// Why that is sound: docs/architecture.md, "SQLite". Source of all facts: "Write-Ahead Logging",
// "WAL-mode File Format", "File Locking And Concurrency" (sqlite.org).

#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "pagevault/base/result.h"

namespace pagevault::sqlitesupport {

enum class JournalMode : std::uint8_t { Rollback = 1, Wal = 2 };

/// A point in a write-ahead log. Salts change at random whenever the log starts again, so two equal
/// positions are the same state of the same database.
struct WalPosition {
  std::array<std::uint32_t, 2> salt{};      ///< Of the log's header.
  std::uint32_t frames = 0;                 ///< Frames 1..frames belong to it.
  std::array<std::uint32_t, 2> checksum{};  ///< Of the last of them; zero when there is none.
  bool operator==(const WalPosition&) const = default;
};

/// What a transaction sees.
struct DatabaseState {
  JournalMode journal = JournalMode::Rollback;
  std::uint32_t page_size = 0;       ///< Bytes, a power of two, 512..65536.
  std::uint32_t page_count = 0;      ///< Of the image; the file may be longer or shorter.
  std::uint32_t change_counter = 0;  ///< Of the database file: what is in a log is not counted.
  std::uint32_t schema_cookie = 0;
  std::uint32_t user_version = 0;
  std::uint32_t application_id = 0;
  std::optional<WalPosition> wal;  ///< In WAL mode, once the log has a header.
  /// The database file holds all of the log already: it may start again at any moment, and must
  /// not be read.
  bool wal_is_in_file = false;
};

/// Thread-safe against other transactions, not against itself.
class ReadTransaction {
 public:
  virtual ~ReadTransaction() = default;  ///< Ends it, quietly.
  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;

  virtual const DatabaseState& state() const = 0;
  /// True while nothing was committed after what it sees. May be false, too, when the log has only
  /// started again or is being written.
  virtual Result<bool> is_current() = 0;
  /// Ends it and reports what went wrong since it began: after an error here what was read is not
  /// to be trusted. Later calls answer ok.
  virtual Status end() = 0;

 protected:
  ReadTransaction() = default;
};

class TransactionSource {
 public:
  virtual ~TransactionSource() = default;
  TransactionSource(const TransactionSource&) = delete;
  TransactionSource& operator=(const TransactionSource&) = delete;

  /// Begins to read the database at `path` (absolute, no symbolic link in its last component, a
  /// regular file: opening a pipe would wait for ever). A file of 0 bytes is a database without
  /// pages: such a state has no lock behind it, and its page size is a guess.
  /// Several may be open at once. Never writes to the database; never makes a checkpoint.
  /// Errors: NotFound; InvalidArgument (not a database SQLite can read: other content, encrypted,
  /// too short); Corrupt (its header or length contradict themselves); Locked (writers left no room
  /// within the bound; a hot journal that only a writer may roll back: the message says how); Io;
  /// Unsupported.
  virtual Result<std::unique_ptr<ReadTransaction>> begin(const std::string& path) = 0;
  /// "3.40.1", for `-v` (S20).
  virtual std::string sqlite_version() = 0;
  /// Nothing begins any more: whoever answers may leave. Transactions go on until their end.
  virtual void finish() {}

 protected:
  TransactionSource() = default;
};

}  // namespace pagevault::sqlitesupport
