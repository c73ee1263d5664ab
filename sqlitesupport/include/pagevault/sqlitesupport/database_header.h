// The first 100 bytes of a SQLite database.

#pragma once

#include <cstdint>
#include <optional>

#include "pagevault/base/bytes.h"
#include "pagevault/sqlitesupport/page_size.h"

namespace pagevault::sqlitesupport {

/// What the header says of the database; nothing in it was compared with the rest of the file.
/// Source: "Database File Format", section 1.3 (sqlite.org/fileformat2.html).
struct DatabaseHeader {
  std::uint32_t page_size = 0;          ///< Bytes, a power of two, 512..65536.
  std::uint8_t write_version = 0;       ///< 1: rollback journal, 2: write-ahead log.
  std::uint8_t read_version = 0;        ///< The same; what is higher cannot be read.
  std::uint8_t reserved_bytes = 0;      ///< At the end of each page.
  std::uint32_t change_counter = 0;     ///< Of transactions; in WAL mode not of all.
  std::uint32_t page_count = 0;         ///< May be stale, see page_count_of.
  std::uint32_t schema_cookie = 0;      ///< Changes with the schema.
  std::uint32_t user_version = 0;       ///< The application's.
  std::uint32_t application_id = 0;     ///< The application's.
  std::uint32_t version_valid_for = 0;  ///< change_counter when page_count was written.

  bool uses_wal() const { return read_version == 2; }
};

/// Nothing when these are not the first bytes of a database (sqlite_page_size). Accepts hostile
/// input. Never fails.
std::optional<DatabaseHeader> parse_database_header(ByteView header);

/// Pages of a database whose file has `file_bytes`: the header's count unless a version of SQLite
/// that does not keep it (before 3.7.0) wrote last; then what the file holds, a part counts whole.
/// Not for files with a write-ahead log, which may know better.
std::uint32_t page_count_of(const DatabaseHeader& header, std::uint64_t file_bytes);

}  // namespace pagevault::sqlitesupport
