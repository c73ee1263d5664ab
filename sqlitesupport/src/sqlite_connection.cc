#include "sqlite_connection.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "helper_file.h"
#include "helper_message.h"

namespace pagevault::sqlitesupport {
namespace {

constexpr int kBusyMilliseconds = 5000;
constexpr int kStepsBetweenQuestions = 100'000;

// What stands between us and a consistent view, and what the user can do.
std::string_view advice_of(int result) {
  switch (result) {
    case SQLITE_READONLY_ROLLBACK:
      return "a writer crashed and its transaction must be rolled back first (hot journal), which "
             "only a writer may do; run: sqlite3 DATABASE 'PRAGMA schema_version'";
    case SQLITE_READONLY_RECOVERY:
    case SQLITE_READONLY_CANTLOCK:
    case SQLITE_READONLY_CANTINIT:
    case SQLITE_READONLY_DIRECTORY:
    case SQLITE_CANTOPEN:
      return "its write-ahead log has no usable index; let a program that may write beside the "
             "database keep it open, or run as such a user";
    case SQLITE_PROTOCOL:
      return "writers left no room to begin a read transaction";
    default:
      return {};
  }
}

ErrorCode code_of(int result) {
  switch (result & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
    case SQLITE_READONLY:
      return ErrorCode::Locked;
    case SQLITE_NOTADB:
      return ErrorCode::InvalidArgument;
    case SQLITE_CORRUPT:
      return ErrorCode::Corrupt;
    case SQLITE_INTERRUPT:
      return ErrorCode::Cancelled;
    case SQLITE_FULL:
      return ErrorCode::NoSpace;
    default:
      return ErrorCode::Io;
  }
}

// Of the database itself; later the same answer is about a log or its index.
Error open_error(sqlite3* db, int result) {
  const int number = db == nullptr ? 0 : sqlite3_system_errno(db);
  if ((result & 0xFF) != SQLITE_CANTOPEN || number == 0) return sqlite_error(db, result);
  return {number == ENOENT ? ErrorCode::NotFound : ErrorCode::Io,
          fmt::format("open: {}", ::strerrordesc_np(number))};
}

std::string uri_of(const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '?' || c == '#' || c == '%') {
      uri += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    } else {
      uri += c;
    }
  }
  return uri + "?immutable=1";
}

}  // namespace

Error sqlite_error(sqlite3* db, int result) {
  const std::string_view advice = advice_of(result);
  if (!advice.empty()) return {code_of(result), std::string(advice)};
  const char* const text = db == nullptr ? sqlite3_errstr(result) : sqlite3_errmsg(db);
  return {code_of(result), fmt::format("sqlite: {} ({})", text, result)};
}

Result<bool> SqliteStatement::step() {
  const int result = sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return sqlite_error(sqlite3_db_handle(statement_.get()), result);
}

Status SqliteStatement::bind_text(int index, std::string_view text) {
  const int result = sqlite3_bind_text(statement_.get(), index, text.data(),
                                       static_cast<int>(text.size()), nullptr);
  if (result == SQLITE_OK) return ok();
  return sqlite_error(sqlite3_db_handle(statement_.get()), result);
}

Status SqliteStatement::reset() {
  const int result = sqlite3_reset(statement_.get());
  if (result == SQLITE_OK) return ok();
  return sqlite_error(sqlite3_db_handle(statement_.get()), result);
}

ByteView SqliteStatement::stored(int column) const {
  const void* const data = sqlite3_column_blob(statement_.get(), column);
  const int length = sqlite3_column_bytes(statement_.get(), column);
  return {static_cast<const std::byte*>(data), static_cast<std::size_t>(length)};
}

std::string_view SqliteStatement::text(int column) const {
  sqlite3_column_text(statement_.get(), column);  // Converts: stored() are then these bytes.
  return as_text(stored(column));
}

Result<SqliteConnection> SqliteConnection::open(const std::string& name) {
  return open_with(name, SQLITE_OPEN_READONLY, nullptr);
}

Result<SqliteConnection> SqliteConnection::open_immutable(const std::string& path) {
  constexpr int kFlags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
  if (path != kInheritedFilePath) return open_with(uri_of(path), kFlags, nullptr);
  PV_TRY_ASSIGN(const char* const vfs, inherited_file_vfs());
  return open_with(uri_of(path), kFlags, vfs);
}

Result<SqliteConnection> SqliteConnection::open_with(const std::string& name, int flags,
                                                     const char* vfs) {
  sqlite3* opened = nullptr;
  const int result = sqlite3_open_v2(
      name.c_str(), &opened,
      flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE, vfs);
  SqliteConnection connection;
  connection.db_.reset(opened);
  if (result != SQLITE_OK) return open_error(opened, result);
  PV_TRY(connection.restrict());
  return connection;
}

// S18; and S20: without a checkpoint at the end, we never make one.
Status SqliteConnection::restrict() {
  constexpr std::pair<int, int> kSettings[] = {{SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1},
                                               {SQLITE_DBCONFIG_DEFENSIVE, 1},
                                               {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                                               {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
                                               {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}};
  for (const auto& [setting, value] : kSettings) {
    const int result = sqlite3_db_config(handle(), setting, value, nullptr);
    if (result != SQLITE_OK) return sqlite_error(handle(), result);
  }
  sqlite3_busy_timeout(handle(), kBusyMilliseconds);
  PV_TRY(run("PRAGMA mmap_size=0"));  // Another process may shorten the file: no SIGBUS.
  PV_TRY(run("PRAGMA cell_size_check=on"));
  return run("PRAGMA temp_store=memory");
}

Result<SqliteStatement> SqliteConnection::prepare(std::string_view sql) {
  sqlite3_stmt* prepared = nullptr;
  const int result =
      sqlite3_prepare_v2(handle(), sql.data(), static_cast<int>(sql.size()), &prepared, nullptr);
  SqliteStatement statement;
  statement.statement_.reset(prepared);
  if (result != SQLITE_OK) return sqlite_error(handle(), result);
  return statement;
}

Status SqliteConnection::run(std::string_view sql) {
  PV_TRY_ASSIGN(SqliteStatement statement, prepare(sql));
  for (;;) {
    PV_TRY_ASSIGN(const bool row, statement.step());
    if (!row) return ok();
  }
}

Result<std::int64_t> SqliteConnection::integer(std::string_view sql) {
  PV_TRY_ASSIGN(SqliteStatement statement, prepare(sql));
  PV_TRY_ASSIGN(const bool row, statement.step());
  if (!row) return Error(ErrorCode::Corrupt, fmt::format("sqlite: no answer to {}", sql));
  return statement.integer(0);
}

Result<std::string> SqliteConnection::text(std::string_view sql) {
  PV_TRY_ASSIGN(SqliteStatement statement, prepare(sql));
  PV_TRY_ASSIGN(const bool row, statement.step());
  if (!row) return Error(ErrorCode::Corrupt, fmt::format("sqlite: no answer to {}", sql));
  return std::string(statement.text(0));
}

void SqliteConnection::interrupt_when(std::function<bool()> abandoned) {
  abandoned_ = std::make_unique<std::function<bool()>>(std::move(abandoned));
  const auto ask = [](void* question) {
    return (*static_cast<std::function<bool()>*>(question))() ? 1 : 0;
  };
  sqlite3_progress_handler(handle(), kStepsBetweenQuestions, ask, abandoned_.get());
}

Status SqliteConnection::close() {
  sqlite3* const db = db_.release();
  if (db == nullptr) return ok();
  const int result = sqlite3_close(db);
  if (result == SQLITE_OK) return ok();
  Error error = sqlite_error(db, result);
  sqlite3_close_v2(db);
  return error;
}

}  // namespace pagevault::sqlitesupport
