// The PostgreSQL record of a snapshot: docs/format.md, section 3.
// covers S15, S16, F5.1, F5.2, F6.3, F9.2

#include "pagevault/repo/postgres_record.h"

#include <gtest/gtest.h>

#include "golden_bytes.h"
#include "pagevault/repo/fields.h"
#include "postgres_record_samples.h"

namespace pagevault::repo {

namespace {

std::optional<ErrorCode> verdict(const Result<PostgresRecord>& result) {
  if (result) return std::nullopt;
  return result.error().code();
}

/// The fields of `bytes` with the value of `tag` replaced; without it when there is none.
Bytes with_field(ByteView bytes, std::uint16_t tag, std::optional<ByteView> value) {
  Encoder out;
  Decoder in(bytes, "record");
  bool done = false;
  const auto put = [&out](std::uint16_t each, ByteView content) {
    out.u16(each);
    out.u32(static_cast<std::uint32_t>(content.size()));
    out.raw(content);
  };
  while (!in.at_end()) {
    const std::uint16_t each = in.u16().value();
    const ByteView content = in.raw(in.u32().value()).value();
    if (!done && each >= tag && value) put(tag, *value);
    done = done || each >= tag;
    if (each != tag) put(each, content);
  }
  if (!done && value) put(tag, *value);
  return out.take();
}

std::optional<ErrorCode> verdict_with(std::uint16_t tag, std::optional<ByteView> value) {
  return verdict(decode_postgres_record(
      with_field(encode_postgres_record(golden_postgres_record()), tag, value)));
}

Bytes wal_ranges(const std::vector<PostgresWalRange>& ranges) {
  Encoder out;
  out.varint(ranges.size());
  for (const PostgresWalRange& range : ranges) {
    out.u32(range.timeline);
    out.u64(range.start);
    out.u64(range.end);
  }
  return out.take();
}

Bytes tablespaces(const std::vector<PostgresTablespace>& all) {
  Encoder out;
  out.varint(all.size());
  for (const PostgresTablespace& each : all) {
    out.u32(each.oid);
    out.str(each.location);
  }
  return out.take();
}

Bytes doubts(const std::vector<PostgresDoubt>& all) {
  Encoder out;
  out.varint(all.size());
  for (const PostgresDoubt& each : all) {
    out.u8(static_cast<std::uint8_t>(each.kind));
    out.str(each.path);
    out.varint(each.count);
  }
  out.u64(0);
  return out.take();
}

/// Of `count` timelines, newest first.
std::vector<PostgresWalRange> many_ranges(std::uint32_t count) {
  std::vector<PostgresWalRange> ranges(count);
  for (PostgresWalRange& range : ranges) range.timeline = count--;
  return ranges;
}

std::vector<PostgresTablespace> many_tablespaces(std::uint32_t count, const std::string& location) {
  std::vector<PostgresTablespace> all(count, {.oid = 0, .location = location});
  for (std::uint32_t oid = 0; oid < count; ++oid) all[oid].oid = oid;
  return all;
}

std::vector<PostgresDoubt> many_doubts(std::size_t count) {
  return {count, {.kind = PostgresDoubt::Kind::DamagedFile, .path = "p", .count = 1}};
}

/// What the writer must refuse the reader must refuse too: `change` makes a bad record, `value` is
/// the field that says the same.
template <class Change>
void expect_refused(Change change, std::uint16_t tag, ByteView value) {
  PostgresRecord record = golden_postgres_record();
  change(record);
  const Status refused = check_postgres_record(record);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::InvalidArgument);
  EXPECT_EQ(verdict_with(tag, value), ErrorCode::Corrupt) << refused.error().message();
}

TEST(PostgresRecord, HasTheBytesOfTheFormatDocument) {
  const Bytes golden = golden_bytes("objects/v1/postgres_record.txt");
  const auto record = decode_postgres_record(golden);
  ASSERT_TRUE(record) << record.error().message();
  EXPECT_EQ(*record, golden_postgres_record());
  EXPECT_EQ(to_hex(encode_postgres_record(*record)), to_hex(golden));
}

TEST(PostgresRecord, RandomOnesComeBack) {
  RandomSamples random(71);
  for (int round = 0; round < 500; ++round) {
    const PostgresRecord record = random_postgres_record(random);
    ASSERT_TRUE(check_postgres_record(record));
    const auto again = decode_postgres_record(encode_postgres_record(record));
    ASSERT_TRUE(again) << "round " << round << ": " << again.error().message();
    ASSERT_EQ(*again, record) << "round " << round;
  }
}

TEST(PostgresRecord, AnEmptyOneComesBackWithoutOptionalFields) {
  const Bytes bytes = encode_postgres_record({});
  EXPECT_EQ(load_le16(bytes), 0x8001);
  EXPECT_EQ(decode_postgres_record(bytes).value(), PostgresRecord());
}

TEST(PostgresRecord, EachRequiredFieldMustBeThereWithItsLength) {
  for (std::uint16_t tag = 0x8001; tag <= 0x8007; ++tag) {
    EXPECT_EQ(verdict_with(tag, std::nullopt), ErrorCode::Corrupt) << tag;
    EXPECT_EQ(verdict_with(tag, ByteView()), ErrorCode::Corrupt) << tag;
    EXPECT_EQ(verdict_with(tag, Bytes(100)), ErrorCode::Corrupt) << tag;
  }
  EXPECT_EQ(verdict_with(0x0008, Bytes(7)), ErrorCode::Corrupt);
  EXPECT_EQ(verdict_with(0x0009, Bytes(8)), ErrorCode::Corrupt);
  EXPECT_EQ(verdict_with(0x0008, std::nullopt), std::nullopt);
  EXPECT_EQ(verdict_with(0x0009, std::nullopt), std::nullopt);
}

TEST(PostgresRecord, UnknownFieldsAreIgnoredUnlessTheyAreCritical) {
  EXPECT_EQ(verdict_with(0x0007, Bytes(3)), std::nullopt);
  EXPECT_EQ(verdict_with(0x7fff, Bytes(3)), std::nullopt);
  EXPECT_EQ(verdict_with(0x8000, Bytes(3)), ErrorCode::Unsupported);
  EXPECT_EQ(verdict_with(0x8008, Bytes(3)), ErrorCode::Unsupported);
}

TEST(PostgresRecord, UnknownFlagsAndKindsOfDoubtAreRefused) {
  for (const int flags : {0x20, 0x40, 0x80, 0xff}) {
    EXPECT_EQ(verdict_with(0x8004, Bytes{static_cast<std::byte>(flags)}), ErrorCode::Unsupported);
  }
  for (const int kind : {0, 4, 255}) {
    const auto unknown = static_cast<PostgresDoubt::Kind>(kind);
    EXPECT_EQ(verdict_with(0x0009, doubts({{.kind = unknown, .path = "p", .count = 0}})),
              ErrorCode::Unsupported);
    PostgresRecord record;
    record.doubts = {{.kind = unknown, .path = "p", .count = 0}};
    EXPECT_FALSE(check_postgres_record(record));
  }
}

TEST(PostgresRecord, HoldsListsAtTheirLimitsAndRefusesOneMore) {
  PostgresRecord record;
  record.wal_ranges = many_ranges(1'024);
  record.tablespaces = many_tablespaces(65'536, "");
  record.doubts = many_doubts(4'096);
  ASSERT_TRUE(check_postgres_record(record));
  EXPECT_EQ(decode_postgres_record(encode_postgres_record(record)).value(), record);

  const auto ranges = many_ranges(1'025);
  expect_refused([&](PostgresRecord& r) { r.wal_ranges = ranges; }, 0x8006, wal_ranges(ranges));
  const auto spaces = many_tablespaces(65'537, "");
  expect_refused([&](PostgresRecord& r) { r.tablespaces = spaces; }, 0x8007, tablespaces(spaces));
  const auto all = many_doubts(4'097);
  expect_refused([&](PostgresRecord& r) { r.doubts = all; }, 0x0009, doubts(all));
}

TEST(PostgresRecord, HoldsTextsAtTheirLimitsAndRefusesOneMore) {
  PostgresRecord record;
  record.tablespaces = {{.oid = 1, .location = std::string(1'023, 'l')}};
  record.doubts = many_doubts(1);
  record.doubts[0].path = std::string(1'023, 'p');
  ASSERT_TRUE(check_postgres_record(record));
  EXPECT_EQ(decode_postgres_record(encode_postgres_record(record)).value(), record);

  for (const std::string& bad : {std::string(1'024, 'x'), std::string("a\0b", 3)}) {
    const std::vector<PostgresTablespace> spaces = {{.oid = 1, .location = bad}};
    expect_refused([&](PostgresRecord& r) { r.tablespaces = spaces; }, 0x8007, tablespaces(spaces));
  }
  for (const std::string& bad : {std::string(1'024, 'x'), std::string("a\0b", 3), std::string()}) {
    auto all = many_doubts(1);
    all[0].path = bad;
    expect_refused([&](PostgresRecord& r) { r.doubts = all; }, 0x0009, doubts(all));
  }
}

TEST(PostgresRecord, HoldsSixteenMebibytesAndRefusesMore) {
  PostgresRecord record;
  record.tablespaces = many_tablespaces(16'384, std::string(1'018, 'l'));  // 16 MiB and some.
  EXPECT_FALSE(check_postgres_record(record));
  Bytes bytes = encode_postgres_record({});
  Encoder last;
  last.u16(0x8007);
  const Bytes list = tablespaces(record.tablespaces);
  last.u32(static_cast<std::uint32_t>(list.size()));
  last.raw(list);
  bytes.resize(bytes.size() - 7);  // The empty list.
  append(bytes, last.view());
  EXPECT_EQ(verdict(decode_postgres_record(bytes)), ErrorCode::Corrupt);
  record.tablespaces.resize(16'000);
  ASSERT_TRUE(check_postgres_record(record));
  EXPECT_EQ(decode_postgres_record(encode_postgres_record(record)).value(), record);
}

TEST(PostgresRecord, RefusesListsOutOfOrder) {
  for (const std::uint32_t second : {5U, 6U}) {
    const std::vector<PostgresWalRange> ranges = {{.timeline = 5, .start = 1, .end = 2},
                                                  {.timeline = second, .start = 1, .end = 2}};
    expect_refused([&](PostgresRecord& r) { r.wal_ranges = ranges; }, 0x8006, wal_ranges(ranges));
  }
  for (const std::uint32_t second : {5U, 4U}) {
    const std::vector<PostgresTablespace> spaces = {{.oid = 5, .location = ""},
                                                    {.oid = second, .location = ""}};
    expect_refused([&](PostgresRecord& r) { r.tablespaces = spaces; }, 0x8007, tablespaces(spaces));
  }
  const std::vector<PostgresWalRange> backwards = {{.timeline = 1, .start = 2, .end = 1}};
  expect_refused([&](PostgresRecord& r) { r.wal_ranges = backwards; }, 0x8006,
                 wal_ranges(backwards));
}

TEST(PostgresRecord, EveryTruncationIsNoticed) {
  const Bytes bytes = encode_postgres_record(golden_postgres_record());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(verdict(decode_postgres_record(ByteView(bytes).first(size))), ErrorCode::Corrupt);
  }
}

TEST(PostgresRecord, DamageNeverCrashesAndWhatIsReadCanBeWritten) {
  RandomSamples random(73);
  for (int round = 0; round < 20'000; ++round) {
    const Bytes bytes = random.damaged(encode_postgres_record(random_postgres_record(random)));
    const auto record = decode_postgres_record(bytes);
    if (!record) continue;
    ASSERT_TRUE(check_postgres_record(*record)) << "round " << round;
    ASSERT_EQ(decode_postgres_record(encode_postgres_record(*record)).value(), *record);
  }
}

}  // namespace

}  // namespace pagevault::repo
