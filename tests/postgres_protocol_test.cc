// What servers send during a base backup, and what is sent to them; without a server.
// covers F6.5

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "copy_message.h"
#include "replication_command.h"
#include "server_facts.h"
#include "server_message.h"
#include "timeline_history.h"

namespace pagevault::pgsupport {
namespace {

using ::testing::HasSubstr;

Result<CopyMessage> parse(const std::string& bytes) { return parse_copy_message(as_bytes(bytes)); }

void expect_refused(const std::string& bytes, const std::string& part) {
  const auto message = parse(bytes);
  ASSERT_FALSE(message) << bytes;
  EXPECT_EQ(message.error().code(), ErrorCode::Corrupt);
  EXPECT_THAT(message.error().message(), HasSubstr(part));
}

TEST(CopyMessage, AnnouncesArchivesWithTheirTablespace) {
  const auto base = parse(std::string("nbase.tar\0\0", 11));
  ASSERT_TRUE(base) << base.error().message();
  EXPECT_EQ(base->kind, CopyMessage::Kind::Archive);
  EXPECT_EQ(base->name + "|" + base->tablespace, "base.tar|");
  const auto other = parse(std::string("n16384.tar.zst\0/srv/a b\0", 24));
  ASSERT_TRUE(other) << other.error().message();
  EXPECT_EQ(other->name + "|" + other->tablespace, "16384.tar.zst|/srv/a b");
}

TEST(CopyMessage, CarriesBytesAndProgress) {
  EXPECT_EQ(as_text(parse("dbytes")->data), "bytes");
  EXPECT_TRUE(parse("d")->data.empty());
  EXPECT_EQ(parse("m")->kind, CopyMessage::Kind::Manifest);
  EXPECT_EQ(parse(std::string("p\0\0\0\1\0\0\0\2", 9))->bytes_done, 0x1'0000'0002U);
}

TEST(CopyMessage, IsRefusedWhenItIsNotOfTheProtocol) {
  expect_refused("", "empty message");
  expect_refused("x", "unknown message");
  expect_refused("mx", "where the manifest begins");
  expect_refused("p1234567", "progress");
  expect_refused("p123456789", "progress");
  expect_refused("p\xff\xff\xff\xff\xff\xff\xff\xff", "below zero");
  expect_refused("nbase.tar", "without end");
  expect_refused(std::string("nbase.tar\0", 10), "without end");
  expect_refused(std::string("nbase.tar\0\0x", 12), "after the names");
  for (const std::string name : {"", ".", "..", "/etc/passwd", "../x", "a/b"}) {
    expect_refused("n" + name + std::string(2, '\0'), "not one of a file");
  }
  expect_refused("n" + std::string(256, 'a') + std::string(2, '\0'), "without end");
  EXPECT_TRUE(parse("n" + std::string(255, 'a') + std::string(2, '\0')));
  expect_refused(std::string("na\0", 3) + std::string(4096, 'p') + std::string(1, '\0'),
                 "without end");
}

TEST(BaseBackupCommand, AsksForTheArchivesTheWalAndTheManifest) {
  EXPECT_EQ(base_backup_command({}).value(),
            "BASE_BACKUP (LABEL 'pagevault', PROGRESS, CHECKPOINT 'fast', WAL, WAIT 0, "
            "TABLESPACE_MAP, MANIFEST 'yes', TARGET 'client')");
}

TEST(BaseBackupCommand, NamesEveryOption) {
  const PostgresServer::Options options = {.label = "it's; DROP",
                                           .fast_checkpoint = false,
                                           .include_wal = false,
                                           .checksums_verified = false,
                                           .max_rate_kb = 32,
                                           .compression = "zstd",
                                           .compression_detail = "level=1",
                                           .incremental_since = Bytes()};
  EXPECT_EQ(base_backup_command(options).value(),
            "BASE_BACKUP (LABEL 'it''s; DROP', PROGRESS, CHECKPOINT 'spread', INCREMENTAL, "
            "MAX_RATE 32, TABLESPACE_MAP, MANIFEST 'yes', VERIFY_CHECKSUMS 0, COMPRESSION 'zstd', "
            "COMPRESSION_DETAIL 'level=1', TARGET 'client')");
}

TEST(BaseBackupCommand, IsRefusedWithWhatServersDoNotTake) {
  for (const std::uint32_t rate : {1U, 31U, 1048577U}) {
    PostgresServer::Options options;
    options.max_rate_kb = rate;
    EXPECT_EQ(base_backup_command(options).error().code(), ErrorCode::InvalidArgument) << rate;
  }
  PostgresServer::Options options;
  options.label = std::string("a\0b", 3);
  EXPECT_EQ(base_backup_command(options).error().code(), ErrorCode::InvalidArgument);
}

TEST(QuotedIdentifier, DoublesQuotes) { EXPECT_EQ(quoted_identifier("a\"b"), "\"a\"\"b\""); }

TEST(ServerSize, IsReadWithEveryUnit) {
  EXPECT_EQ(parse_size("8192"), 8192U);
  EXPECT_EQ(parse_size("512B"), 512U);
  EXPECT_EQ(parse_size("16MB"), 16 * kMiB);
  EXPECT_EQ(parse_size("1GB"), kGiB);
  for (const char* const text : {"", "MB", "1 MB", "1Mb", "1MBx", "-1kB", "99999999999999999999",
                                 "18446744073709551615TB"}) {
    EXPECT_EQ(parse_size(text), std::nullopt) << text;
  }
}

TEST(OneLine, JoinsLinesAndTakesSpaceAway) {
  EXPECT_EQ(one_line("connection failed: x\n\tIs the server running?\n\n"),
            "connection failed: x; Is the server running?");
  EXPECT_EQ(one_line(" \n "), "");
}

Lsn lsn(std::uint64_t value) { return {value}; }

TEST(TimelineHistory, ListsTheStaysOldestFirst) {
  const auto history = parse_timeline_history(
      "1\t0/A002CC8\tno recovery target specified\n\n# comment\n3\t1/0\tbefore 2026-01-01\n", {4});
  ASSERT_TRUE(history) << history.error().message();
  const std::vector<TimelineStay> expected = {{{1}, lsn(0), lsn(0xA002CC8)},
                                              {{3}, lsn(0xA002CC8), lsn(1ULL << 32U)},
                                              {{4}, lsn(1ULL << 32U), lsn(0)}};
  EXPECT_EQ(*history, expected);
  EXPECT_EQ(parse_timeline_history("", {1})->size(), 1U);
}

TEST(TimelineHistory, IsRefusedWhenTimelinesOrPositionsGoBack) {
  for (const char* const text :
       {"x", "1", "1\t", "1\tx", "1 0/1\tr", "2\t0/1\tr\n1\t0/2\tr", "1\t0/2\tr\n2\t0/1\tr",
        "1\t0/1\tr\n1\t0/2\tr", "9\t0/1\tr", "0\t0/1\tr", "99999999999\t0/1\tr"}) {
    const auto history = parse_timeline_history(text, {9});
    ASSERT_FALSE(history) << text;
    EXPECT_EQ(history.error().code(), ErrorCode::Corrupt);
  }
}

TEST(TimelineHistory, TellsWhyARangeIsNotPartOfIt) {
  const auto history = parse_timeline_history("1\t0/100\tr\n", {3}).value();
  EXPECT_FALSE(why_not_in_history(history, {{1}, lsn(0x10), lsn(0x100)}, lsn(0x200)));
  EXPECT_FALSE(why_not_in_history(history, {{3}, lsn(0x110), lsn(0x200)}, lsn(0x200)));
  EXPECT_THAT(why_not_in_history(history, {{1}, lsn(0x10), lsn(0x101)}, lsn(0x200)).value_or(""),
              HasSubstr("left at 0/100"));
  EXPECT_THAT(why_not_in_history(history, {{3}, lsn(0x10), lsn(0x201)}, lsn(0x200)).value_or(""),
              HasSubstr("is on at 0/200"));
  EXPECT_THAT(why_not_in_history(history, {{2}, lsn(0x10), lsn(0x20)}, lsn(0x200)).value_or(""),
              HasSubstr("timeline 2 is not in the history"));
}

TEST(CoveredUntil, GoesOnOverFilesThatMeetInAnyOrder) {
  const std::vector<WalRange> summaries = {{{1}, lsn(30), lsn(40)},
                                           {{1}, lsn(10), lsn(20)},
                                           {{1}, lsn(20), lsn(30)},
                                           {{1}, lsn(50), lsn(60)},
                                           {{2}, lsn(40), lsn(90)}};
  EXPECT_EQ(covered_until(summaries, {1}, lsn(10)), lsn(40));
  EXPECT_EQ(covered_until(summaries, {1}, lsn(15)), lsn(40));
  EXPECT_EQ(covered_until(summaries, {1}, lsn(9)), lsn(9)) << "nothing covers the start";
  EXPECT_EQ(covered_until(summaries, {1}, lsn(45)), lsn(45)) << "a gap";
  EXPECT_EQ(covered_until(summaries, {2}, lsn(40)), lsn(90));
  EXPECT_EQ(covered_until({}, {1}, lsn(5)), lsn(5));
}

}  // namespace
}  // namespace pagevault::pgsupport
