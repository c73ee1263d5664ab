#include "pagevault/repo/directory_entry.h"

#include <gtest/gtest.h>

#include "file_map_samples.h"
#include "golden_bytes.h"

namespace pagevault::repo {

bool operator==(const Entry& a, const Entry& b);  // For EXPECT_EQ on vectors.

// Two entries are the same when they are written the same.
bool operator==(const Entry& a, const Entry& b) {
  Encoder left;
  Encoder right;
  encode_entry(left, a);
  encode_entry(right, b);
  return std::ranges::equal(left.view(), right.view());
}

namespace {

Entry file(std::string name) {
  Entry entry;
  entry.name = std::move(name);
  return entry;
}

Entry link_to(std::string target) {
  Entry entry = file("link");
  entry.info.type = FileType::Symlink;
  entry.link_target = std::move(target);
  return entry;
}

Bytes stream_of(const std::vector<Entry>& entries) {
  Encoder out;
  begin_directory_stream(out);
  for (const Entry& entry : entries) encode_entry(out, entry);
  return out.take();
}

// The entry of an empty file named `name` by hand, so that bad names can be offered too; `tail` is
// what follows the link count.
void raw_entry(Encoder& out, std::string_view name, ByteView tail) {
  out.str(name);
  out.u8(1);
  out.u8(0);
  for (int i = 0; i < 5; ++i) out.u8(0);  // Mode, uid, gid, user, group.
  out.zeros(16);                          // Times.
  for (int i = 0; i < 3; ++i) out.u8(0);  // Device, inode, links.
  out.raw(tail);
}

const Bytes kPlainTail(5);  // Size, page, map root, attributes, extension: all zero.

Bytes stream_of_names(const std::vector<std::string>& names) {
  Encoder out;
  begin_directory_stream(out);
  for (const std::string& name : names) raw_entry(out, name, kPlainTail);
  return out.take();
}

Bytes stream_with_tail(ByteView tail) {
  Encoder out;
  begin_directory_stream(out);
  raw_entry(out, "f", tail);
  return out.take();
}

Result<std::vector<Entry>> parse(ByteView stream, std::size_t slice) {
  DirectoryStreamParser parser;
  std::vector<Entry> entries;
  for (std::size_t at = 0; at < stream.size(); at += slice) {
    parser.feed(stream.subspan(at, std::min(slice, stream.size() - at)));
    while (true) {
      PV_TRY_ASSIGN(auto entry, parser.next());
      if (!entry) break;
      entries.push_back(std::move(*entry));
    }
  }
  PV_TRY(parser.finish());
  return entries;
}
Result<std::vector<Entry>> parse(ByteView stream) { return parse(stream, stream.size() + 1); }

void expect_corrupt(ByteView stream, std::string_view why) {
  for (const std::size_t slice : {std::size_t{1}, stream.size() + 1}) {
    const auto entries = parse(stream, slice);
    ASSERT_FALSE(entries) << why;
    EXPECT_EQ(entries.error().code(), ErrorCode::Corrupt) << entries.error().message();
  }
}

void expect_unsupported(ByteView stream) {
  const auto entries = parse(stream);
  ASSERT_FALSE(entries);
  EXPECT_EQ(entries.error().code(), ErrorCode::Unsupported) << entries.error().message();
}

// What the writer refuses at one above its limit, the reader must refuse too: the stream is made
// from the entry at the limit by putting `from` in place of `to`.
Bytes replaced(Bytes stream, ByteView from, ByteView to) {
  const auto at = std::search(stream.begin(), stream.end(), from.begin(), from.end());
  EXPECT_NE(at, stream.end());
  const auto offset = at - stream.begin();
  stream.erase(at, at + static_cast<std::ptrdiff_t>(from.size()));
  stream.insert(stream.begin() + offset, to.begin(), to.end());
  return stream;
}

Bytes str_of(std::size_t length, char fill) {
  Encoder out;
  out.str(std::string(length, fill));
  return out.take();
}

TEST(Directory, ComesBackAsItWasWritten) {
  RandomSamples samples(/*seed=*/31);
  for (int round = 0; round < 100; ++round) {
    const auto entries = samples.directory(10);
    const auto back = parse(stream_of(entries));
    ASSERT_TRUE(back) << back.error().message();
    ASSERT_EQ(*back, entries);
  }
}

TEST(Directory, KeepsEveryFieldOfAnEntry) {
  Entry entry = file("data");
  entry.info = {.mode = 04755, .uid = 1000, .gid = UINT32_MAX, .size = 0};
  entry.info.mtime_ns = -1;
  entry.info.ctime_ns = INT64_MAX;
  entry.info.device = UINT64_MAX;
  entry.info.inode = 77;
  entry.info.links = 3;
  entry.user = "postgres";
  entry.group = "staff";
  entry.racy = true;
  entry.page_size = 8192;
  entry.xattrs = {{"user.a", std::string("\0\1", 2)}, {"user.b", ""}};
  const auto back = parse(stream_of({entry}));
  ASSERT_TRUE(back) << back.error().message();
  ASSERT_EQ(back->size(), 1U);
  const Entry& got = back->front();
  EXPECT_EQ(got.name, "data");
  EXPECT_EQ(got.info.mode, 04755U);
  EXPECT_EQ(got.info.uid, 1000U);
  EXPECT_EQ(got.info.gid, UINT32_MAX);
  EXPECT_EQ(got.info.mtime_ns, -1);
  EXPECT_EQ(got.info.ctime_ns, INT64_MAX);
  EXPECT_EQ(got.info.device, UINT64_MAX);
  EXPECT_EQ(got.info.inode, 77U);
  EXPECT_EQ(got.info.links, 3U);
  EXPECT_EQ(got.user, "postgres");
  EXPECT_EQ(got.group, "staff");
  EXPECT_TRUE(got.racy);
  EXPECT_FALSE(got.changed_while_read);
  EXPECT_EQ(got.page_size, 8192U);
  EXPECT_EQ(got.map, MapRoot());
  ASSERT_EQ(got.xattrs.size(), 2U);
  EXPECT_EQ(got.xattrs[0].name, "user.a");
  EXPECT_EQ(got.xattrs[0].value, std::string("\0\1", 2));
}

TEST(Directory, GivesTheSameEntriesHoweverTheStreamIsSliced) {
  RandomSamples samples(/*seed=*/37);
  const auto entries = samples.directory(60);
  const Bytes stream = stream_of(entries);
  for (const std::size_t slice : {1U, 2U, 7U, 63U, 64U, 65U, 4096U}) {
    const auto back = parse(stream, slice);
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(*back, entries) << "slice=" << slice;
  }
}

TEST(Directory, HasTheBytesOfTheFormatDocument) {
  const Bytes golden = golden_bytes("file_map/v1/directory.txt");
  const auto entries = parse(golden);
  ASSERT_TRUE(entries) << entries.error().message();
  ASSERT_EQ(entries->size(), 4U);
  EXPECT_EQ((*entries)[0].name, "base");
  EXPECT_EQ((*entries)[1].info.device_minor, 300U);
  EXPECT_EQ((*entries)[2].link_target, "base/1");
  EXPECT_EQ((*entries)[3].xattrs[0].value, "v");
  EXPECT_EQ((*entries)[3].page_size, 8192U);
  EXPECT_EQ((*entries)[3].map, golden_roots()[1]);
  EXPECT_EQ(stream_of(*entries), golden);
}

TEST(Directory, HasTheDatabaseRecordsOfTheFormatDocument) {
  const Bytes golden = golden_bytes("file_map/v1/directory_database.txt");
  const auto entries = parse(golden);
  ASSERT_TRUE(entries) << entries.error().message();
  ASSERT_EQ(entries->size(), 2U);
  EXPECT_EQ((*entries)[0].database, golden_database());
  DatabaseRecord plain;
  plain.stored_as_file = true;
  EXPECT_EQ((*entries)[1].database, plain);
  EXPECT_EQ(stream_of(*entries), golden);
}

TEST(Directory, HasTheChecksumsOfTheFormatDocument) {
  const Bytes golden = golden_bytes("file_map/v1/directory_checksum.txt");
  const auto entries = parse(golden);
  ASSERT_TRUE(entries) << entries.error().message();
  ASSERT_EQ(entries->size(), 2U);
  EXPECT_EQ((*entries)[0].crc32c, 0xe3069283U);
  EXPECT_FALSE((*entries)[0].database);
  EXPECT_EQ((*entries)[1].crc32c, 0U);
  EXPECT_TRUE((*entries)[1].database);
  EXPECT_EQ(stream_of(*entries), golden);
}

TEST(Directory, MayBeEmptyButNotWithoutAVersion) {
  EXPECT_TRUE(parse(stream_of({})));
  DirectoryStreamParser parser;
  EXPECT_FALSE(parser.finish());
}

TEST(Directory, RefusesUnknownVersionsTypesAndFlags) {
  Bytes stream = stream_of({file("f")});
  const Bytes good = stream;
  stream[0] = std::byte{2};
  expect_unsupported(stream);
  for (const int type : {0, 8, 255}) {
    stream = good;
    stream[3] = static_cast<std::byte>(type);
    expect_unsupported(stream);
  }
  stream = good;
  stream[4] = std::byte{4};
  expect_unsupported(stream);
}

// covers F6.1
TEST(Directory, RefusesNamesThatLeaveTheDirectoryOrAreTooLong) {
  for (const std::string& bad :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("/"),
        std::string("a\0b", 3), std::string(256, 'n')}) {
    expect_corrupt(stream_of_names({bad}), bad);
    EXPECT_FALSE(is_valid_entry_name(bad));
    EXPECT_FALSE(check_entry(file(bad)));
  }
}

// covers F6.1, S15
TEST(Directory, AcceptsOddNamesThatAreLegal) {
  for (const std::string& good : {std::string("..."), std::string("a b\n\x1b[2J"),
                                  std::string("\xff\xfe"), std::string(255, 'n')}) {
    EXPECT_TRUE(parse(stream_of_names({good}))) << good;
    EXPECT_TRUE(is_valid_entry_name(good));
  }
}

// covers F6.1
TEST(Directory, RefusesNamesOutOfOrderOrTwice) {
  EXPECT_TRUE(parse(stream_of_names({"a", "aa", "b", "\xc3"})));
  expect_corrupt(stream_of_names({"b", "a"}), "order");
  expect_corrupt(stream_of_names({"a", "a"}), "duplicate");
  expect_corrupt(stream_of_names({"\xc3", "b"}), "bytes compare unsigned");
}

// covers S15
TEST(Directory, HoldsTextsAtTheirLimitsAndRefusesOneMore) {
  struct Case {
    std::string Entry::*field;
    std::size_t limit;
  };
  for (const auto& [field, limit] :
       {Case{&Entry::user, 255}, Case{&Entry::group, 255}, Case{&Entry::link_target, 4095}}) {
    Entry entry = link_to("t");
    entry.*field = std::string(limit, 'z');
    ASSERT_TRUE(check_entry(entry));
    const Bytes stream = stream_of({entry});
    EXPECT_TRUE(parse(stream));
    expect_corrupt(replaced(stream, str_of(limit, 'z'), str_of(limit + 1, 'z')), "text");
    entry.*field = std::string(limit + 1, 'z');
    EXPECT_FALSE(check_entry(entry));
  }
}

TEST(Directory, RefusesEmptyLinkTargetsAndThoseWithNul) {
  EXPECT_FALSE(check_entry(link_to("")));
  EXPECT_FALSE(check_entry(link_to(std::string("a\0", 2))));
  const Bytes stream = stream_of({link_to("zz")});
  expect_corrupt(replaced(stream, str_of(2, 'z'), str_of(0, 'z')), "empty");
  expect_corrupt(replaced(stream, str_of(2, 'z'), str_of(2, '\0')), "NUL");
}

// covers S15
TEST(Directory, HoldsAttributesAtTheirLimitsAndRefusesOneMore) {
  Entry entry = file("f");
  for (int i = 0; i < 1024; ++i) entry.xattrs.push_back({"user." + std::to_string(10'000 + i), ""});
  EXPECT_TRUE(check_entry(entry));
  EXPECT_TRUE(parse(stream_of({entry})));
  entry.xattrs.push_back({"user.z", ""});
  EXPECT_FALSE(check_entry(entry));

  entry.xattrs = {{"user.z", std::string(64 * kKiB, 'v')}};
  EXPECT_TRUE(check_entry(entry));
  const Bytes stream = stream_of({entry});
  EXPECT_TRUE(parse(stream));
  expect_corrupt(replaced(stream, str_of(64 * kKiB, 'v'), str_of(64 * kKiB + 1, 'v')), "value");
  entry.xattrs[0].value.push_back('v');
  EXPECT_FALSE(check_entry(entry));
}

TEST(Directory, RefusesAttributesOverTheCountOrOutOfOrder) {
  Encoder many;
  many.zeros(3);
  many.varint(1025);
  expect_corrupt(stream_with_tail(many.view()), "count");
  for (const std::string_view second : {"a", "b"}) {
    Encoder tail;
    tail.zeros(3);
    tail.varint(2);
    tail.str("b");
    tail.str("");
    tail.str(second);
    tail.str("");
    tail.u8(0);
    expect_corrupt(stream_with_tail(tail.view()), "order");
  }
}

// covers S15, F6.3
TEST(Directory, HoldsAnEntryOfOneMebibyteAndRefusesOneByteMore) {
  Entry entry = file("f");
  for (int i = 0; i < 16; ++i) {
    entry.xattrs.push_back({"user." + std::to_string(10 + i), std::string(64 * kKiB, 'v')});
  }
  Encoder probe;
  entry.xattrs.back().value.clear();
  encode_entry(probe, entry);
  const std::size_t room = kEntryBytesMax - probe.size() - 2;  // Its length has 3 bytes, not 1.
  entry.xattrs.back().value.assign(room, 'w');
  ASSERT_TRUE(check_entry(entry));
  const Bytes stream = stream_of({entry});
  ASSERT_EQ(stream.size(), kEntryBytesMax + 1);
  EXPECT_TRUE(parse(stream, 64 * kKiB));
  expect_corrupt(replaced(stream, str_of(room, 'w'), str_of(room + 1, 'w')), "entry");
  entry.xattrs.back().value.push_back('w');
  EXPECT_FALSE(check_entry(entry));
}

// covers S15, F6.3
TEST(Directory, RefusesSizesPagesAndModesAboveTheirLimits) {
  Entry entry = file("f");
  entry.info.mode = 010000;
  EXPECT_FALSE(check_entry(entry));
  entry.info.mode = 07777;
  EXPECT_TRUE(check_entry(entry));
  for (const std::uint32_t page : {256U, 131'072U, 5'000U}) {
    entry.page_size = page;
    EXPECT_FALSE(check_entry(entry)) << page;
  }
  for (const int log2 : {1, 8, 17, 255}) {
    const Bytes tail = {std::byte{0}, static_cast<std::byte>(log2), std::byte{0}, std::byte{0},
                        std::byte{0}};
    expect_corrupt(stream_with_tail(tail), "page size");
  }
  for (const std::uint64_t size : {kFileBytesMax + 1, UINT64_MAX}) {
    Encoder tail;
    tail.varint(size);
    tail.zeros(4);
    expect_corrupt(stream_with_tail(tail.view()), "size");
  }
}

// covers F6.4
TEST(Directory, RefusesAMapThatDoesNotFitTheSize) {
  Encoder tail;
  tail.varint(1);  // One byte, yet an empty map.
  tail.zeros(4);
  expect_corrupt(stream_with_tail(tail.view()), "map");
}

TEST(Directory, IgnoresFieldsOfALaterVersionUnlessTheyAreCritical) {
  for (const int high : {0x00, 0x80}) {
    Encoder tail;
    tail.zeros(4);
    tail.str(Bytes{std::byte{1}, static_cast<std::byte>(high), std::byte{1}, std::byte{0},
                   std::byte{0}, std::byte{0}, std::byte{9}});
    if (high == 0) {
      EXPECT_TRUE(parse(stream_with_tail(tail.view())));
    } else {
      expect_unsupported(stream_with_tail(tail.view()));
    }
  }
}

// A record for an entry: `sqlite`, `wal` and `pages` are the values of its fields; empty: no field.
Bytes stream_with_record(ByteView sqlite, ByteView wal, ByteView pages) {
  FieldWriter fields;
  if (!sqlite.empty()) fields.add(0x0010, sqlite);
  if (!wal.empty()) fields.add(0x0011, wal);
  if (!pages.empty()) fields.add(0x0012, pages);
  Encoder tail;
  tail.zeros(4);
  tail.str(fields.take());
  return stream_with_tail(tail.view());
}

TEST(Directory, KeepsWhatIsKnownOfADatabase) {
  RandomSamples samples(/*seed=*/43);
  for (int round = 0; round < 200; ++round) {
    Entry entry = file("app.db");
    entry.database = samples.database();
    const auto back = parse(stream_of({entry}));
    ASSERT_TRUE(back) << back.error().message();
    ASSERT_EQ(back->front().database, entry.database);
  }
  EXPECT_FALSE(parse(stream_of({file("f")}))->front().database);
}

TEST(Directory, OnlyFilesAreDatabasesAndOnlyThoseWithAWalHaveAPositionInIt) {
  Entry entry = link_to("x");
  entry.database = golden_database();
  EXPECT_FALSE(check_entry(entry));
  entry = file("f");
  entry.database = golden_database();
  EXPECT_TRUE(check_entry(entry));
  entry.database->journal = SqliteJournal::Rollback;
  EXPECT_FALSE(check_entry(entry));
}

// covers F6.1, F6.3
TEST(Directory, RefusesMalformedDatabaseRecords) {
  Bytes sqlite(22);
  sqlite[0] = std::byte{2};
  const Bytes wal(20);
  const Bytes pages(8);
  EXPECT_TRUE(parse(stream_with_record(sqlite, wal, pages)));
  EXPECT_TRUE(parse(stream_with_record(sqlite, {}, {})));
  expect_corrupt(stream_with_record({}, wal, {}), "position alone");
  expect_corrupt(stream_with_record({}, {}, pages), "count alone");
  for (const std::size_t size : {1U, 19U, 21U, 23U, 100'000U}) {
    expect_corrupt(stream_with_record(sqlite, Bytes(size), {}), "position of another length");
    expect_corrupt(stream_with_record(sqlite, wal, Bytes(size)), "count of another length");
    Bytes other = sqlite;
    other.resize(size);
    expect_corrupt(stream_with_record(other, wal, {}), "record of another length");
  }
  Bytes rollback = sqlite;
  rollback[0] = std::byte{1};
  EXPECT_TRUE(parse(stream_with_record(rollback, {}, pages)));
  expect_corrupt(stream_with_record(rollback, wal, {}), "position without WAL");
  for (const int journal : {0, 3, 255}) {
    Bytes other = sqlite;
    other[0] = static_cast<std::byte>(journal);
    expect_unsupported(stream_with_record(other, wal, {}));
  }
  for (const int flags : {2, 3, 128}) {
    Bytes other = sqlite;
    other[1] = static_cast<std::byte>(flags);
    expect_unsupported(stream_with_record(other, wal, {}));
  }
}

// covers F6.1
TEST(Directory, RefusesADatabaseRecordOfALink) {
  FieldWriter fields;
  fields.add(0x0010, Bytes(22, std::byte{1}));
  Encoder extension;
  extension.str(fields.take());
  Bytes stream = stream_of({link_to("x")});
  stream.pop_back();  // Its empty extension.
  append(stream, extension.view());
  expect_corrupt(stream, "link");
}

// covers F6.1, F6.3
TEST(Directory, OnlyFilesHaveAChecksumAndItHasFourBytes) {
  const auto extension_of = [](ByteView checksum) {
    FieldWriter fields;
    fields.add(0x0013, checksum);
    Encoder out;
    out.str(fields.take());
    return out.take();
  };
  Bytes tail(4);
  for (const std::size_t size : {0U, 3U, 5U, 100'000U}) {
    Bytes bad = tail;
    append(bad, extension_of(Bytes(size)));
    expect_corrupt(stream_with_tail(bad), "checksum of another length");
  }
  append(tail, extension_of(Bytes(4, std::byte{7})));
  EXPECT_EQ(parse(stream_with_tail(tail))->front().crc32c, 0x07070707U);

  Entry link = link_to("x");
  Bytes stream = stream_of({link});
  stream.pop_back();  // Its empty extension.
  append(stream, extension_of(Bytes(4)));
  expect_corrupt(stream, "link");
  link.crc32c = 7;
  EXPECT_FALSE(check_entry(link));
}

// covers F5.2
TEST(Directory, EveryTruncationIsNoticed) {
  auto entries = std::vector<Entry>{file("a"), link_to("x")};
  entries[0].database = golden_database();
  const Bytes stream = stream_of(entries);
  const std::size_t first = stream_of({entries[0]}).size();
  for (std::size_t size = 0; size < stream.size(); ++size) {
    const bool at_border = size == 1 || size == first;
    EXPECT_EQ(parse(ByteView(stream).first(size)).has_value(), at_border) << size;
  }
}

// covers S16, F5.1
TEST(Directory, DamageNeverCrashesAndSlicingNeverChangesTheVerdict) {
  RandomSamples samples(/*seed=*/41);
  for (int round = 0; round < 5'000; ++round) {
    const Bytes stream = samples.damaged(stream_of(samples.directory(1 + samples.below(4))));
    const auto at_once = parse(stream);
    const auto sliced = parse(stream, 1 + samples.below(30));
    ASSERT_EQ(at_once.has_value(), sliced.has_value());
    if (at_once) {
      EXPECT_EQ(*at_once, *sliced);
    }
  }
}

}  // namespace
}  // namespace pagevault::repo
