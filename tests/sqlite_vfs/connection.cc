#include "sqlite_vfs/connection.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>

#include "pagevault/base/result.h"

namespace pagevault::testing {

Connection::Connection(const std::string& name) {
  sqlite3_open_v2(name.c_str(), &db_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
}

Connection Connection::of_image(ByteView image) {
  sqlite3* db = nullptr;
  PV_CHECK(sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK);
  auto* copy = static_cast<unsigned char*>(sqlite3_malloc64(image.size() + 1));
  std::transform(image.begin(), image.end(), copy,
                 [](std::byte b) { return static_cast<unsigned char>(b); });
  // A database in memory has no log: the header must not ask for one.
  constexpr std::size_t kWriteVersion = 18;
  if (image.size() > kWriteVersion + 1) copy[kWriteVersion] = copy[kWriteVersion + 1] = 1;
  const auto size = static_cast<sqlite3_int64>(image.size());
  PV_CHECK(sqlite3_deserialize(db, "main", copy, size, size, SQLITE_DESERIALIZE_FREEONCLOSE) ==
           SQLITE_OK);
  return Connection(db);
}

Connection::~Connection() {
  if (db_ != nullptr) PV_CHECK(sqlite3_close(db_) == SQLITE_OK);
}

Connection::Connection(Connection&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}

int Connection::exec(const std::string& sql) {
  return sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
}

std::optional<std::string> Connection::text(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) return {};
  std::optional<std::string> out;
  if (sqlite3_step(statement) == SQLITE_ROW) {
    const void* const data = sqlite3_column_blob(statement, 0);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, 0));
    out = std::string(as_text({static_cast<const std::byte*>(data), size}));
  }
  sqlite3_finalize(statement);
  return out;
}

std::optional<std::int64_t> Connection::number(const std::string& sql) {
  const auto found = text(sql);
  if (!found || found->empty()) return {};
  return std::strtoll(found->c_str(), nullptr, 10);
}

std::string Connection::message() const { return sqlite3_errmsg(db_); }

Bytes image_of(sqlite3* db) {
  sqlite3_int64 size = 0;
  const std::unique_ptr<unsigned char, void (*)(void*)> image(
      sqlite3_serialize(db, "main", &size, 0), sqlite3_free);
  if (image == nullptr) return {};
  const auto bytes = std::as_bytes(std::span(image.get(), static_cast<std::size_t>(size)));
  return {bytes.begin(), bytes.end()};
}

}  // namespace pagevault::testing
