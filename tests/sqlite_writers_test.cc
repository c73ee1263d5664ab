// Snapshots of databases that other processes write, checkpoint, vacuum, convert and crash on: each
// is one committed state.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "chunk_test_data.h"
#include "pagevault/sqlitesupport/database_check.h"
#include "pagevault/sqlitesupport/transaction_process.h"
#include "sqlite_vocabulary.h"

namespace pagevault {
namespace {

using sqlitesupport::DatabaseState;
using testing::Database;

constexpr int kAccounts = 40;

// What a writer does between its transfers, by chance.
using Chores = std::vector<std::string>;

const Chores kWalChores = {"PRAGMA wal_checkpoint(PASSIVE)", "PRAGMA wal_checkpoint(FULL)",
                           "PRAGMA wal_checkpoint(RESTART)", "PRAGMA wal_checkpoint(TRUNCATE)",
                           "PRAGMA incremental_vacuum(5)",   "VACUUM"};
const Chores kRollbackChores = {"PRAGMA journal_mode=truncate",  "PRAGMA journal_mode=persist",
                                "PRAGMA journal_mode=delete",    "PRAGMA page_size=512; VACUUM",
                                "PRAGMA page_size=8192; VACUUM", "PRAGMA incremental_vacuum(3)"};
const Chores kModeChores = {"PRAGMA journal_mode=wal", "PRAGMA journal_mode=delete",
                            "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA page_size=1024; VACUUM",
                            "PRAGMA page_size=4096; VACUUM"};

void create(const std::string& path, const std::string& mode) {
  Database database(path);
  database.run("PRAGMA auto_vacuum=incremental; PRAGMA journal_mode=" + mode);
  database.run(
      "CREATE TABLE acc(id INTEGER PRIMARY KEY, v INT); CREATE TABLE meta(n INT);"
      "CREATE TABLE junk(id INTEGER PRIMARY KEY, b BLOB); CREATE INDEX by_b ON junk(b);"
      "INSERT INTO meta VALUES(0)");
  for (int i = 0; i < kAccounts; ++i) database.run("INSERT INTO acc(v) VALUES(0)");
}

// One transaction that keeps the sum of the accounts.
std::string transfer(test::SeededStream& random) {
  const auto number = [&random](std::uint64_t below) {
    return std::to_string(random.below(below));
  };
  const std::string amount = number(1000);
  std::string sql = "BEGIN IMMEDIATE; UPDATE acc SET v=v+" + amount + " WHERE id=1+" +
                    number(kAccounts) + ";INSERT INTO junk(b) VALUES(randomblob(" + number(9000) +
                    "));";
  if (random.below(8) == 0) sql += "DELETE FROM junk WHERE id%3=" + number(3) + ";";
  if (random.below(60) == 0) sql += "DELETE FROM junk;";
  return sql + "UPDATE acc SET v=v-" + amount + " WHERE id=1+" + number(kAccounts) +
         ";UPDATE meta SET n=n+1;COMMIT";
}

// A process that writes until it is killed; locked out it tries again, anything else ends it.
class WriterProcess {
 public:
  WriterProcess(const std::string& path, const Chores& chores, std::uint64_t seed) {
    pid_ = ::fork();
    if (pid_ == 0) ::_exit(write_for_ever(path, chores, seed));
  }
  WriterProcess(const WriterProcess&) = delete;
  WriterProcess& operator=(const WriterProcess&) = delete;
  ~WriterProcess() {
    ::kill(pid_, SIGKILL);
    int status = 0;
    EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
    EXPECT_TRUE(WIFSIGNALED(status)) << "sqlite answered the writer " << WEXITSTATUS(status);
  }

 private:
  static int write_for_ever(const std::string& path, const Chores& chores, std::uint64_t seed) {
    test::SeededStream random(seed);
    Database database(path);
    database.try_run("PRAGMA synchronous=off; PRAGMA wal_autocheckpoint=50; PRAGMA cache_size=5");
    sqlite3_busy_timeout(database.handle(), 20);
    for (;;) {
      const bool chore = random.below(6) == 0;
      const int result =
          database.try_run(chore ? chores[random.below(chores.size())] : transfer(random));
      if (sqlite3_get_autocommit(database.handle()) == 0) database.try_run("ROLLBACK");
      if (result != SQLITE_OK && result != SQLITE_BUSY && result != SQLITE_LOCKED) return result;
    }
  }

  pid_t pid_ = -1;
};

class SqliteWriters : public ::testing::Test {
 protected:
  std::string path(const std::string& name = "app.db") const {
    return scratch_.path() + "/" + name;
  }

  // True when a snapshot was taken; false when writers left no room for one.
  bool take_snapshot() {
    const auto transaction = source_->begin(path());
    if (!transaction) {
      EXPECT_EQ(transaction.error().code(), ErrorCode::Locked) << transaction.error().message();
      return false;
    }
    const DatabaseState state = (*transaction)->state();
    testing::RawReader reader(scratch_.path());
    const Bytes image = reader.read("app.db", state, 3);
    if (previous_.wal && state.wal) compare_with_previous(reader, state, image);
    const Status ended = (*transaction)->end();
    EXPECT_TRUE(ended) << ended.error().message();
    check(image);
    previous_ = state;
    previous_image_ = image;
    return true;
  }

  // Outside of what the log says changed, nothing did.
  void compare_with_previous(testing::RawReader& reader, const DatabaseState& state,
                             const Bytes& image) {
    const auto opened = reader.open("app.db", state, {.since = previous_.wal});
    ASSERT_TRUE(opened) << opened.error().message();
    const auto changed = opened->changed_since(*previous_.wal);
    if (!changed) return;
    Bytes patched = previous_image_;
    patched.resize(image.size());
    for (const ByteRange& range : *changed) {
      const ByteView now = ByteView(image).subspan(range.offset, range.length);
      std::copy(now.begin(), now.end(),
                patched.begin() + static_cast<std::ptrdiff_t>(range.offset));
    }
    EXPECT_EQ(testing::first_difference(patched, image, state.page_size), 0U);
  }

  void check(const Bytes& image) {
    std::filesystem::remove(path("copy.db"));
    {
      std::ofstream out(path("copy.db"), std::ios::binary);
      out << as_text(image);
    }
    const auto findings = sqlitesupport::check_database(path("copy.db"));
    ASSERT_TRUE(findings) << findings.error().message();
    EXPECT_THAT(*findings, ::testing::IsEmpty());
    Database copy(path("copy.db"));
    EXPECT_EQ(copy.ask("SELECT sum(v) FROM acc"), "0");
    const std::int64_t commits = std::stoll(copy.ask("SELECT n FROM meta"));
    EXPECT_GE(commits, commits_) << "an older state than before";
    commits_ = commits;
  }

  testing::ScratchDir scratch_;
  std::unique_ptr<sqlitesupport::TransactionSource> source_ =
      sqlitesupport::start_transaction_process().value();
  DatabaseState previous_;
  Bytes previous_image_;
  std::int64_t commits_ = 0;
};

// covers F8.10
TEST_F(SqliteWriters, ThatCheckpointAndVacuumALogLeaveEverySnapshotOneState) {
  create(path(), "wal");
  const WriterProcess first(path(), kWalChores, 101);
  const WriterProcess second(path(), kWalChores, 102);
  for (int taken = 0; taken < 60 && !HasFailure(); taken += take_snapshot() ? 1 : 0) {
  }
}

// covers F8.10
TEST_F(SqliteWriters, WithRollbackJournalsLeaveEverySnapshotOneState) {
  create(path(), "delete");
  const WriterProcess writer(path(), kRollbackChores, 103);
  for (int taken = 0; taken < 40 && !HasFailure(); taken += take_snapshot() ? 1 : 0) {
  }
}

// covers F8.10
TEST_F(SqliteWriters, ThatChangeTheJournalModeLeaveEverySnapshotOneState) {
  create(path(), "wal");
  const WriterProcess writer(path(), kModeChores, 104);
  for (int taken = 0; taken < 40 && !HasFailure(); taken += take_snapshot() ? 1 : 0) {
  }
}

// covers F8.10: hot journals and logs without an owner, again and again.
TEST_F(SqliteWriters, ThatCrashLeaveEverySnapshotOneState) {
  create(path(), "wal");
  for (std::uint64_t seed = 0; seed < 25 && !HasFailure(); ++seed) {
    {
      const WriterProcess writer(path(), kModeChores, 200 + seed);
      take_snapshot();
    }
    if (take_snapshot()) continue;  // Else the dead one left a hot journal: the next writer's.
    Database(path()).ask("SELECT n FROM meta");
    EXPECT_TRUE(take_snapshot());
  }
}

}  // namespace
}  // namespace pagevault
