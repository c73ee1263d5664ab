// What a snapshot knows of a database beside its bytes: enough to list it, and to tell at the next
// backup what changed since. Numbers as the database has them; only their layout is known here.
// docs/format.md, 5 "Database record". Pure codec; the decoder takes untrusted bytes.

#pragma once

#include <cstdint>
#include <optional>

#include "pagevault/base/result.h"
#include "pagevault/repo/fields.h"

namespace pagevault::repo {

enum class SqliteJournal : std::uint8_t { Rollback = 1, Wal = 2 };

/// How far into its WAL an image of a SQLite database reaches.
struct WalPosition {
  std::uint32_t salt1 = 0;
  std::uint32_t salt2 = 0;
  std::uint32_t frames = 0;  ///< Of this generation of the WAL, all committed.
  std::uint32_t checksum1 = 0;
  std::uint32_t checksum2 = 0;  ///< Running checksum after the last of them.
  bool operator==(const WalPosition&) const = default;
};

/// Of a SQLite database. Integers are its header's (https://www.sqlite.org/fileformat2.html, 1.3).
struct DatabaseRecord {
  SqliteJournal journal = SqliteJournal::Rollback;
  bool stored_as_file = false;  ///< Plain bytes of the file, no image of a transaction.
  std::uint32_t page_count = 0;
  std::uint32_t change_counter = 0;
  std::uint32_t schema_cookie = 0;
  std::uint32_t user_version = 0;
  std::uint32_t application_id = 0;
  std::optional<WalPosition> wal;              ///< Only with SqliteJournal::Wal.
  std::optional<std::uint64_t> pages_changed;  ///< Against the parent; nothing for a first one.
  bool operator==(const DatabaseRecord&) const = default;
};

/// InvalidArgument when the format cannot hold `record`: a WAL position without a WAL.
Status check_database_record(const DatabaseRecord& record);
/// Appends the fields of an entry's extension. Precondition (checked): check_database_record.
void add_database_record(FieldWriter& fields, const DatabaseRecord& record);
/// Nothing when there is none. Errors: Corrupt (lengths, one part without the other), Unsupported
/// (unknown flags or journal).
Result<std::optional<DatabaseRecord>> read_database_record(const FieldReader& fields);

}  // namespace pagevault::repo
