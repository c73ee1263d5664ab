// The image of a database, read by raw descriptors under a transaction, is what SQLite reads.

#include <gtest/gtest.h>

#include "pagevault/base/sim_env.h"
#include "pagevault/sqlitesupport/database_image.h"
#include "sqlite_transaction.h"
#include "sqlite_vocabulary.h"

namespace pagevault {
namespace {

using sqlitesupport::DatabaseImage;
using sqlitesupport::DatabaseState;
using sqlitesupport::JournalMode;
using sqlitesupport::ReadTransaction;
using sqlitesupport::SqliteTransactionSource;
using sqlitesupport::WalPosition;
using testing::Database;
using testing::first_difference;
using testing::serialized;

constexpr std::string_view kRows =
    "INSERT INTO t(b) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{})"
    " SELECT randomblob(300) FROM n";

std::string rows(int count) {
  std::string sql(kRows);
  return sql.replace(sql.find("{}"), 2, std::to_string(count));
}

class SqliteImage : public ::testing::Test {
 protected:
  // A database in WAL mode whose log is checkpointed only by the test.
  std::unique_ptr<Database> make(std::uint32_t page_size, const std::string& mode = "wal") {
    auto database = std::make_unique<Database>(scratch_.path() + "/app.db");
    database->run("PRAGMA page_size=" + std::to_string(page_size));
    database->run("PRAGMA journal_mode=" + mode);
    database->run(
        "PRAGMA wal_autocheckpoint=0; PRAGMA user_version=7; PRAGMA application_id=99;"
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB)");
    return database;
  }
  std::unique_ptr<ReadTransaction> begin() {
    auto transaction = source_.begin(scratch_.path() + "/app.db");
    EXPECT_TRUE(transaction) << transaction.error().message();
    return std::move(*transaction);
  }
  void expect_image(const DatabaseState& state, const Bytes& wanted) {
    for (const std::uint32_t piece : {1U, 7U, 100'000U}) {
      const Bytes image = reader_.read("app.db", state, piece);
      ASSERT_EQ(image.size(), wanted.size());
      ASSERT_EQ(first_difference(image, wanted, state.page_size), 0U);
    }
  }

  testing::ScratchDir scratch_;
  SqliteTransactionSource source_;
  testing::RawReader reader_{scratch_.path()};
};

// covers F8.10
TEST_F(SqliteImage, IsWhatSqliteReadsForEveryPageSize) {
  for (std::uint32_t page_size = 512; page_size <= 65536; page_size *= 2) {
    SCOPED_TRACE(page_size);
    const testing::ScratchDir dir;
    auto writer = make(page_size);
    writer->run(rows(400));
    writer->run("PRAGMA wal_checkpoint(PASSIVE)");
    writer->run("UPDATE t SET b=randomblob(200) WHERE a%5=0");
    const Bytes wanted = serialized(*writer);
    const auto transaction = begin();
    EXPECT_EQ(transaction->state().page_size, page_size);
    EXPECT_EQ(transaction->state().journal, JournalMode::Wal);
    EXPECT_EQ(transaction->state().user_version, 7U);
    EXPECT_EQ(transaction->state().application_id, 99U);
    EXPECT_FALSE(transaction->state().wal_is_in_file);
    const Bytes by_backup = testing::backed_up(*writer);
    EXPECT_TRUE(equal_bytes(testing::without_marks_of_backup(by_backup),
                            testing::without_marks_of_backup(wanted)));
    // What comes later is not seen.
    writer->run(rows(300));
    writer->run("DELETE FROM t WHERE a%3=0");
    writer->run("PRAGMA wal_checkpoint(PASSIVE)");
    expect_image(transaction->state(), wanted);
    EXPECT_TRUE(transaction->end());
    writer.reset();
    ASSERT_EQ(std::remove((scratch_.path() + "/app.db").c_str()), 0);
  }
}

// covers F8.10
TEST_F(SqliteImage, StaysWhileEveryKindOfCheckpointTriesToMoveTheLog) {
  for (const std::string kind : {"PASSIVE", "FULL", "RESTART", "TRUNCATE"}) {
    SCOPED_TRACE(kind);
    auto writer = make(4096);
    writer->run("PRAGMA busy_timeout=1");
    writer->run(rows(100));
    const Bytes wanted = serialized(*writer);
    const auto transaction = begin();
    for (int round = 0; round < 3; ++round) {
      writer->run(rows(50));
      writer->run("UPDATE t SET b=randomblob(100) WHERE a<50");
      static_cast<void>(writer->try_run("PRAGMA wal_checkpoint(" + kind + ")"));
      expect_image(transaction->state(), wanted);
    }
    EXPECT_TRUE(transaction->end());
    writer.reset();
    ASSERT_EQ(std::remove((scratch_.path() + "/app.db").c_str()), 0);
  }
}

// covers F8.10
TEST_F(SqliteImage, IsTheFileAloneWhenTheLogIsCheckpointedEvenWhileTheLogStartsAgain) {
  auto writer = make(1024);
  writer->run(rows(200));
  writer->run("PRAGMA wal_checkpoint(PASSIVE)");
  const Bytes wanted = serialized(*writer);
  const auto transaction = begin();
  EXPECT_TRUE(transaction->state().wal_is_in_file);
  EXPECT_TRUE(transaction->is_current().value());
  writer->run("DELETE FROM t WHERE a>20");  // Starts the log again.
  writer->run("VACUUM");
  static_cast<void>(writer->try_run("PRAGMA busy_timeout=1; PRAGMA wal_checkpoint(TRUNCATE)"));
  EXPECT_FALSE(transaction->is_current().value());
  expect_image(transaction->state(), wanted);
}

// covers F8.10
TEST_F(SqliteImage, FollowsADatabaseThatShrankAndGrewAgain) {
  auto writer = make(512);
  writer->run(rows(1000));
  writer->run("PRAGMA wal_checkpoint(PASSIVE)");
  writer->run("DELETE FROM t WHERE a>30");
  writer->run("VACUUM");
  const Bytes small = serialized(*writer);
  const auto first = begin();
  EXPECT_LT(first->state().page_count, 100U);
  writer->run(rows(700));
  const Bytes large = serialized(*writer);
  const auto second = begin();
  static_cast<void>(writer->try_run("PRAGMA wal_checkpoint(PASSIVE)"));
  expect_image(second->state(), large);
  expect_image(first->state(), small);
}

TEST_F(SqliteImage, OfARollbackModeDatabaseIsItsFile) {
  for (const std::string mode : {"delete", "truncate", "persist"}) {
    SCOPED_TRACE(mode);
    auto writer = make(2048, mode);
    writer->run(rows(100));
    const Bytes wanted = serialized(*writer);
    const auto transaction = begin();
    EXPECT_EQ(transaction->state().journal, JournalMode::Rollback);
    EXPECT_FALSE(transaction->state().wal);
    writer->run("PRAGMA busy_timeout=1");
    EXPECT_EQ(writer->try_run("DELETE FROM t"), SQLITE_BUSY);
    EXPECT_TRUE(transaction->is_current().value());
    expect_image(transaction->state(), wanted);
    EXPECT_TRUE(transaction->end());
    writer->run("DELETE FROM t");
    writer.reset();
    ASSERT_EQ(std::remove((scratch_.path() + "/app.db").c_str()), 0);
  }
}

TEST_F(SqliteImage, NamesThePagesThatChangedSinceAnEarlierPositionOfTheSameLog) {
  auto writer = make(1024);
  writer->run(rows(500));
  const DatabaseState earlier = begin()->state();
  const Bytes before = reader_.read("app.db", earlier);
  writer->run("UPDATE t SET b=randomblob(300) WHERE a IN (3, 400)");
  writer->run(rows(20));
  const auto transaction = begin();
  const DatabaseState& state = transaction->state();
  const Bytes after = reader_.read("app.db", state);
  const auto whole = reader_.open("app.db", state);
  const auto since = reader_.open("app.db", state, {.since = earlier.wal});
  ASSERT_TRUE(whole && since);
  const auto changed = whole->changed_since(*earlier.wal);
  ASSERT_TRUE(changed);
  EXPECT_EQ(since->changed_since(*earlier.wal), changed);
  EXPECT_EQ(whole->changed_since(*state.wal), std::vector<ByteRange>());
  // Outside of the ranges nothing changed; with only the newer frames laid over, all is there.
  Bytes patched = before;
  patched.resize(after.size());
  std::uint64_t bytes = 0;
  for (const ByteRange& range : *changed) {
    bytes += range.length;
    EXPECT_TRUE(
        since->overlay(range.offset, MutableBytes(patched).subspan(range.offset, range.length)));
  }
  EXPECT_EQ(first_difference(patched, after, 1024), 0U);
  EXPECT_LT(bytes, after.size() / 4);
}

TEST_F(SqliteImage, NamesThePagesThatChangedThoughTheFileHoldsTheLogAlready) {
  auto writer = make(1024);
  writer->run(rows(500));
  const DatabaseState earlier = begin()->state();
  writer->run("UPDATE t SET b=randomblob(300) WHERE a=3");
  writer->run("PRAGMA wal_checkpoint(PASSIVE)");
  const auto transaction = begin();
  ASSERT_TRUE(transaction->state().wal_is_in_file);
  const auto image = reader_.open("app.db", transaction->state(), {.since = earlier.wal});
  const auto changed = image->changed_since(*earlier.wal);
  ASSERT_TRUE(changed);
  EXPECT_FALSE(changed->empty());
  EXPECT_LT(changed->size(), 10U);
  writer->run("UPDATE t SET b=randomblob(300) WHERE a=4");  // Starts the log again.
  EXPECT_EQ(image->changed_since(*earlier.wal), changed);
  const auto late = reader_.open("app.db", transaction->state(), {.since = earlier.wal});
  ASSERT_TRUE(late);
  EXPECT_EQ(late->changed_since(*earlier.wal), std::nullopt);
}

TEST_F(SqliteImage, CannotTellWhatChangedOnceTheLogStartedAgain) {
  auto writer = make(1024);
  writer->run(rows(100));
  const DatabaseState earlier = begin()->state();
  writer->run("PRAGMA wal_checkpoint(RESTART)");
  writer->run(rows(3));
  const auto transaction = begin();
  const auto image = reader_.open("app.db", transaction->state(), {.since = earlier.wal});
  ASSERT_TRUE(image);
  EXPECT_EQ(image->changed_since(*earlier.wal), std::nullopt);
  expect_image(transaction->state(), serialized(*writer));
}

TEST_F(SqliteImage, OfALogThatHasJustStartedAgainHasAPositionWithoutFrames) {
  auto writer = make(1024);
  writer->run(rows(100));
  writer->run("PRAGMA wal_checkpoint(TRUNCATE)");
  const DatabaseState start = begin()->state();
  ASSERT_TRUE(start.wal);
  EXPECT_EQ(start.wal->frames, 0U);
  EXPECT_TRUE(start.wal_is_in_file);
  writer->run("UPDATE t SET b=NULL WHERE a=1");
  const auto transaction = begin();
  const auto image = reader_.open("app.db", transaction->state());
  ASSERT_TRUE(image);
  const auto changed = image->changed_since(*start.wal);
  ASSERT_TRUE(changed);
  EXPECT_FALSE(changed->empty());
}

// covers F8.10
TEST_F(SqliteImage, BelongsToATryInWhichNobodyCommittedBesideIt) {
  auto writer = make(1024);
  writer->run(rows(50));
  int tries = 0;
  SqliteTransactionSource disturbed([&] {
    if (++tries < 5) writer->run(rows(20));
  });
  const auto transaction = disturbed.begin(scratch_.path() + "/app.db");
  ASSERT_TRUE(transaction) << transaction.error().message();
  EXPECT_EQ(tries, 5);
  expect_image((*transaction)->state(), serialized(*writer));
}

// covers F8.10
TEST_F(SqliteImage, NoticesThatTheLogStartedAgainBetweenLockAndLook) {
  auto writer = make(1024);
  writer->run(rows(50));
  int tries = 0;
  SqliteTransactionSource disturbed([&] {
    // The second try is the first that counts: everything is in the file then, so lock 0.
    if (++tries == 1) writer->run("PRAGMA wal_checkpoint(PASSIVE)");
    if (tries == 2) writer->run("UPDATE t SET b=randomblob(100)");
  });
  const auto transaction = disturbed.begin(scratch_.path() + "/app.db");
  ASSERT_TRUE(transaction) << transaction.error().message();
  EXPECT_EQ(tries, 3);
  EXPECT_FALSE((*transaction)->state().wal_is_in_file);
  expect_image((*transaction)->state(), serialized(*writer));
}

TEST_F(SqliteImage, IsRefusedAsLockedWhenWritersNeverPause) {
  auto writer = make(1024);
  writer->run("PRAGMA synchronous=off");
  int tries = 0;
  SqliteTransactionSource disturbed([&] {
    ++tries;
    writer->run("PRAGMA user_version=" + std::to_string(tries));
  });
  const auto transaction = disturbed.begin(scratch_.path() + "/app.db");
  ASSERT_FALSE(transaction);
  EXPECT_EQ(transaction.error().code(), ErrorCode::Locked);
  EXPECT_EQ(tries, 1000);
}

// covers F6.6: whatever the log holds, an image is refused as Corrupt or read.
TEST_F(SqliteImage, IsRefusedWhenTheLogDoesNotFitTheTransaction) {
  auto writer = make(512);
  writer->run(rows(20));
  const auto transaction = begin();
  const DatabaseState state = transaction->state();
  File* const log = reader_.keep("app.db-wal");
  const std::uint64_t size = 32 + std::uint64_t{state.wal->frames} * (24 + 512);
  Bytes good(size);
  ASSERT_TRUE(log->read_at(0, good));
  SimEnv env(SimOptions{});
  const auto open = [&env](const DatabaseState& of, const Bytes& bytes) {
    env.write_file("/wal", bytes);
    const auto file = env.open_dir("/").value()->open_file("wal", OpenMode::Read).value();
    const auto image = DatabaseImage::open(of, file.get(), {});
    return image ? std::string("read") : std::string(to_string(image.error().code()));
  };
  EXPECT_EQ(open(state, good), "read");
  for (const std::uint64_t length : {std::uint64_t{0}, std::uint64_t{31}, size / 2, size - 513}) {
    EXPECT_EQ(open(state, Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length))),
              "Corrupt");
  }
  for (const std::size_t at : {0U, 9U, 16U, 20U, 24U, 32U + 8U, 32U + 12U, 32U + 536U + 8U}) {
    Bytes bad = good;
    bad[at] ^= std::byte{1};
    EXPECT_EQ(open(state, bad), "Corrupt") << at;
  }
  Bytes bad = good;
  std::fill_n(bad.begin() + 32, 4, std::byte{0});  // Page 0.
  EXPECT_EQ(open(state, bad), "Corrupt");
  DatabaseState other = state;
  other.wal->checksum[1] ^= 1;
  EXPECT_EQ(open(other, good), "Corrupt");
  other = state;
  other.page_size = 1024;
  EXPECT_EQ(open(other, good), "Corrupt");
}

TEST_F(SqliteImage, IsNotPutTogetherFromFramesThatChangedSinceItWasOpened) {
  auto writer = make(512);
  writer->run(rows(20));
  const auto transaction = begin();
  SimEnv env(SimOptions{});
  Bytes bytes(32 + std::uint64_t{transaction->state().wal->frames} * (24 + 512));
  ASSERT_TRUE(reader_.keep("app.db-wal")->read_at(0, bytes));
  env.write_file("/wal", bytes);
  const auto file = env.open_dir("/").value()->open_file("wal", OpenMode::Read).value();
  const auto image = DatabaseImage::open(transaction->state(), file.get(), {});
  ASSERT_TRUE(image);
  Bytes all(image->length());
  EXPECT_TRUE(image->overlay(0, all));
  for (std::size_t at = 32; at < bytes.size(); at += 536) bytes[at + 8] ^= std::byte{1};
  env.write_file("/wal", bytes);
  const Status changed = image->overlay(0, all);
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code(), ErrorCode::Corrupt);
}

}  // namespace
}  // namespace pagevault
