#include "pagevault/repo/database_record.h"

#include <fmt/format.h>

namespace pagevault::repo {

namespace {

// Of an entry's extension. Not critical: who does not know them restores the file all the same.
constexpr std::uint16_t kSqliteTag = 0x0010;
constexpr std::uint16_t kWalPositionTag = 0x0011;
constexpr std::uint16_t kPagesChangedTag = 0x0012;

constexpr std::string_view kWhat = "database record";
constexpr std::uint8_t kStoredAsFile = 1;

Status decode_journal(Decoder& in, DatabaseRecord& record) {
  PV_TRY_ASSIGN(const std::uint8_t journal, in.u8());
  if (journal < 1 || journal > static_cast<std::uint8_t>(SqliteJournal::Wal)) {
    return Error(ErrorCode::Unsupported, fmt::format("{}: unknown journal {}", kWhat, journal));
  }
  record.journal = static_cast<SqliteJournal>(journal);
  PV_TRY_ASSIGN(const std::uint8_t flags, in.u8());
  if ((flags & ~kStoredAsFile) != 0) {
    return Error(ErrorCode::Unsupported, fmt::format("{}: unknown flags {:#x}", kWhat, flags));
  }
  record.stored_as_file = (flags & kStoredAsFile) != 0;
  return ok();
}

Result<DatabaseRecord> decode_sqlite(ByteView value) {
  DatabaseRecord record;
  Decoder in(value, kWhat);
  PV_TRY(decode_journal(in, record));
  PV_TRY_ASSIGN(record.page_count, in.u32());
  PV_TRY_ASSIGN(record.change_counter, in.u32());
  PV_TRY_ASSIGN(record.schema_cookie, in.u32());
  PV_TRY_ASSIGN(record.user_version, in.u32());
  PV_TRY_ASSIGN(record.application_id, in.u32());
  PV_TRY(in.finish());
  return record;
}

Result<WalPosition> decode_wal_position(ByteView value) {
  WalPosition position;
  Decoder in(value, kWhat);
  PV_TRY_ASSIGN(position.salt1, in.u32());
  PV_TRY_ASSIGN(position.salt2, in.u32());
  PV_TRY_ASSIGN(position.frames, in.u32());
  PV_TRY_ASSIGN(position.checksum1, in.u32());
  PV_TRY_ASSIGN(position.checksum2, in.u32());
  PV_TRY(in.finish());
  return position;
}

Bytes encode_sqlite(const DatabaseRecord& record) {
  Encoder out;
  out.u8(static_cast<std::uint8_t>(record.journal));
  out.u8(record.stored_as_file ? kStoredAsFile : 0);
  out.u32(record.page_count);
  out.u32(record.change_counter);
  out.u32(record.schema_cookie);
  out.u32(record.user_version);
  out.u32(record.application_id);
  return out.take();
}

Bytes encode_wal_position(const WalPosition& position) {
  Encoder out;
  out.u32(position.salt1);
  out.u32(position.salt2);
  out.u32(position.frames);
  out.u32(position.checksum1);
  out.u32(position.checksum2);
  return out.take();
}

}  // namespace

Status check_database_record(const DatabaseRecord& record) {
  if (!record.wal || record.journal == SqliteJournal::Wal) return ok();
  return Error(ErrorCode::InvalidArgument,
               fmt::format("{}: a position in the WAL of a database without one", kWhat));
}

void add_database_record(FieldWriter& fields, const DatabaseRecord& record) {
  PV_CHECK(check_database_record(record).has_value());
  fields.add(kSqliteTag, encode_sqlite(record));
  if (record.wal) fields.add(kWalPositionTag, encode_wal_position(*record.wal));
  if (record.pages_changed) fields.add_u64(kPagesChangedTag, *record.pages_changed);
}

Result<std::optional<DatabaseRecord>> read_database_record(const FieldReader& fields) {
  if (!fields.has(kSqliteTag)) {
    if (!fields.has(kWalPositionTag) && !fields.has(kPagesChangedTag)) {
      return std::optional<DatabaseRecord>();
    }
    return Error(ErrorCode::Corrupt, fmt::format("{}: a part without the rest", kWhat));
  }
  PV_TRY_ASSIGN(DatabaseRecord record, decode_sqlite(fields.optional(kSqliteTag)));
  if (fields.has(kWalPositionTag)) {
    PV_TRY_ASSIGN(record.wal, decode_wal_position(fields.optional(kWalPositionTag)));
  }
  if (fields.has(kPagesChangedTag)) {
    PV_TRY_ASSIGN(record.pages_changed, fields.u64(kPagesChangedTag));
  }
  if (const Status sound = check_database_record(record); !sound) {
    return Error(ErrorCode::Corrupt, sound.error().message());
  }
  return std::optional(record);
}

}  // namespace pagevault::repo
