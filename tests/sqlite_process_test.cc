// Transactions in a helper process: its locks, its end, and that it never writes.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "helper_message.h"
#include "pagevault/sqlitesupport/transaction_process.h"
#include "sqlite_vocabulary.h"

namespace pagevault {
namespace {

using sqlitesupport::DatabaseState;
using sqlitesupport::HelperProgram;
using sqlitesupport::JournalMode;
using sqlitesupport::start_transaction_process;
using testing::Database;

// SQLite's lock bytes: "File Locking And Concurrency", os.h; walformat.html, section 2.3.
constexpr off_t kSharedFirst = 0x40000002;
constexpr off_t kSharedSize = 510;
constexpr off_t kFirstReadLockOfLog = 123;
constexpr off_t kReadLocksOfLog = 5;

// The process that keeps others from writing these bytes; 0: none.
pid_t holder_of_lock(const std::string& path, off_t first, off_t length) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  EXPECT_GE(fd, 0) << path;
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = first;
  lock.l_len = length;
  EXPECT_EQ(::fcntl(fd, F_GETLK, &lock), 0);
  ::close(fd);
  return lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}

// Runs `work` on the database at `path` in a process that is then gone without a word.
void in_a_process_that_crashes(const std::string& path,
                               const std::function<void(Database&)>& work) {
  const pid_t pid = ::fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    Database database(path);
    work(database);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
}

std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

class SqliteProcess : public ::testing::Test {
 protected:
  std::string path(const std::string& suffix = "") const {
    return scratch_.path() + "/app.db" + suffix;
  }

  void make(const std::string& mode) {
    in_a_process_that_crashes(path(), [&](Database& database) {
      database.run("PRAGMA journal_mode=" + mode + "; PRAGMA wal_autocheckpoint=0");
      database.run("CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
      database.run("INSERT INTO t(b) VALUES(zeroblob(3000)), (zeroblob(5000)), ('x')");
    });
  }
  std::unique_ptr<sqlitesupport::TransactionSource> start(const HelperProgram& program = {}) {
    auto source = start_transaction_process(program);
    EXPECT_TRUE(source) << source.error().message();
    return std::move(*source);
  }
  std::string refusal() {
    const auto transaction = start()->begin(path());
    if (transaction) return "begun";
    return std::string(to_string(transaction.error().code())) + ": " +
           transaction.error().message();
  }

  testing::ScratchDir scratch_;
};

// covers S20
TEST_F(SqliteProcess, SaysWhichSqliteRuns) {
  EXPECT_EQ(start()->sqlite_version(), sqlite3_libversion());
}

// covers F8.11
TEST_F(SqliteProcess, HoldsItsLockThoughOthersCloseDescriptorsOfTheFile) {
  for (const std::string mode : {"delete", "wal"}) {
    SCOPED_TRACE(mode);
    make(mode);
    const auto source = start();
    auto transaction = source->begin(path());
    ASSERT_TRUE(transaction) << transaction.error().message();
    const pid_t holder = holder_of_lock(path(), kSharedFirst, kSharedSize);
    EXPECT_GT(holder, 0);
    EXPECT_NE(holder, ::getpid());
    EXPECT_EQ(holder_of_lock(path(), kSharedFirst, kSharedSize), holder);
    if (mode == "wal") {
      EXPECT_EQ(holder_of_lock(path("-shm"), kFirstReadLockOfLog, kReadLocksOfLog), holder);
    }
    EXPECT_TRUE((*transaction)->is_current().value());
    EXPECT_TRUE((*transaction)->end());
    EXPECT_TRUE((*transaction)->end());
    EXPECT_EQ(holder_of_lock(path(), kSharedFirst, kSharedSize), 0);
    ASSERT_EQ(std::remove(path().c_str()), 0);
  }
}

TEST_F(SqliteProcess, EndsWithItsSourceAndTransactions) {
  make("delete");
  auto source = start();
  auto first = source->begin(path());
  auto second = source->begin(path());
  ASSERT_TRUE(first && second);
  const pid_t helper = holder_of_lock(path(), kSharedFirst, kSharedSize);
  source.reset();
  EXPECT_TRUE((*first)->is_current().value());
  first->reset();
  EXPECT_EQ(holder_of_lock(path(), kSharedFirst, kSharedSize), helper);
  second->reset();
  EXPECT_EQ(holder_of_lock(path(), kSharedFirst, kSharedSize), 0);
  EXPECT_EQ(::kill(helper, 0), -1);
}

TEST_F(SqliteProcess, LeavesWhenItsSourceIsFinishedAndNoTransactionIsLeft) {
  make("delete");
  auto source = start();
  auto transaction = source->begin(path());
  ASSERT_TRUE(transaction);
  const pid_t helper = holder_of_lock(path(), kSharedFirst, kSharedSize);
  source->finish();
  EXPECT_TRUE((*transaction)->is_current().value());
  EXPECT_TRUE((*transaction)->end());
  source->finish();
  siginfo_t end{};  // Nobody has waited for it yet.
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(helper), &end, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(end.si_status, 0);
  EXPECT_FALSE(source->begin(path()));
  source.reset();
  EXPECT_EQ(::kill(helper, 0), -1);
}

TEST_F(SqliteProcess, ThatDiesIsAnErrorAtTheNextCallAndForEver) {
  make("delete");
  auto source = start();
  auto transaction = source->begin(path());
  ASSERT_TRUE(transaction);
  ASSERT_EQ(::kill(holder_of_lock(path(), kSharedFirst, kSharedSize), SIGKILL), 0);
  for (int round = 0; round < 2; ++round) {
    const auto current = (*transaction)->is_current();
    ASSERT_FALSE(current);
    EXPECT_EQ(current.error().code(), ErrorCode::Io);
    EXPECT_THAT(current.error().message(),
                ::testing::HasSubstr("the sqlite helper ended unexpectedly (signal 9)"));
    EXPECT_FALSE(source->begin(path()));
  }
  EXPECT_FALSE((*transaction)->end());
  EXPECT_TRUE(start()->begin(path()));
}

// covers F1.4: Ctrl-C goes to the whole group of a terminal.
TEST_F(SqliteProcess, LivesOnThroughSignalsMeantForItsStarter) {
  make("delete");
  auto source = start();
  auto transaction = source->begin(path());
  ASSERT_TRUE(transaction);
  const pid_t helper = holder_of_lock(path(), kSharedFirst, kSharedSize);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ASSERT_EQ(::kill(helper, signal), 0);
  EXPECT_TRUE((*transaction)->is_current().value());
  EXPECT_TRUE((*transaction)->end());
}

TEST_F(SqliteProcess, ThatIsNoHelperIsRefused) {
  const auto missing = start_transaction_process({.path = "/nonexistent/program"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::Io);
  const auto silent = start_transaction_process({.path = "/bin/true"});
  ASSERT_FALSE(silent);
  EXPECT_EQ(silent.error().code(), ErrorCode::Io);
  const auto other = start_transaction_process({.path = "/bin/echo"});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), ErrorCode::Io);
}

TEST_F(SqliteProcess, RefusesWhatIsNotThereOrNoDatabase) {
  EXPECT_THAT(refusal(), ::testing::StartsWith("NotFound: "));
  EXPECT_FALSE(std::filesystem::exists(path()));
  std::ofstream(path()) << std::string(9000, 'x');
  EXPECT_THAT(refusal(), ::testing::StartsWith("InvalidArgument: "));
  std::ofstream(path()) << "SQLite format 3";
  EXPECT_THAT(refusal(), ::testing::StartsWith("InvalidArgument: "));
  const auto relative = start()->begin("app.db");
  ASSERT_FALSE(relative);
  EXPECT_EQ(relative.error().code(), ErrorCode::InvalidArgument);
  // covers F6.6: what is no database gets no index of a log beside it.
  std::ofstream(path("-wal")) << std::string(9000, 'x');
  EXPECT_THAT(refusal(), ::testing::StartsWith("InvalidArgument: "));
  EXPECT_FALSE(std::filesystem::exists(path("-shm")));
}

TEST_F(SqliteProcess, TakesAnEmptyFileForADatabaseWithoutPagesAndLeavesTheLogBeside) {
  std::ofstream(path()).close();
  std::ofstream(path("-wal")) << "something";
  const auto source = start();
  const auto transaction = source->begin(path());
  ASSERT_TRUE(transaction) << transaction.error().message();
  EXPECT_EQ((*transaction)->state().page_count, 0U);
  EXPECT_TRUE((*transaction)->is_current().value());
  std::ofstream(path()) << "no longer";
  EXPECT_FALSE((*transaction)->is_current().value());
  EXPECT_EQ(content(path("-wal")), "something");
}

// covers F8.10: a hot journal is neither lost nor rolled back by us, nor ignored.
TEST_F(SqliteProcess, RefusesADatabaseWhoseWriterLeftAHotJournal) {
  make("delete");
  in_a_process_that_crashes(path(), [&](Database& database) {
    database.run("PRAGMA cache_size=2; BEGIN");
    database.run("UPDATE t SET b=randomblob(200000)");
    database.run("INSERT INTO t(b) VALUES(randomblob(100000))");
  });
  const std::string before = content(path());
  const std::string journal = content(path("-journal"));
  ASSERT_FALSE(journal.empty());
  EXPECT_THAT(refusal(), ::testing::AllOf(::testing::StartsWith("Locked: "),
                                          ::testing::HasSubstr("hot journal")));
  EXPECT_EQ(content(path()), before);
  EXPECT_EQ(content(path("-journal")), journal);
  EXPECT_EQ(Database(path()).ask("PRAGMA schema_version"), "1");
  EXPECT_EQ(refusal(), "begun");
  EXPECT_EQ(Database(path()).ask("SELECT count(*) FROM t"), "3");
}

// covers F8.10
TEST_F(SqliteProcess, SeesWhatACrashedWriterCommittedThoughTheIndexIsGone) {
  make("wal");
  ASSERT_EQ(std::remove(path("-shm").c_str()), 0);
  const auto source = start();
  const auto transaction = source->begin(path());
  ASSERT_TRUE(transaction) << transaction.error().message();
  ASSERT_TRUE((*transaction)->state().wal);
  EXPECT_GT((*transaction)->state().wal->frames, 0U);
  testing::RawReader reader(scratch_.path());
  const Bytes image = reader.read("app.db", (*transaction)->state());
  Database writer(path());
  EXPECT_TRUE(equal_bytes(image, testing::serialized(writer)));
}

TEST_F(SqliteProcess, ReadsAWalDatabaseThatNobodyHasOpen) {
  make("wal");
  Database(path()).ask("SELECT count(*) FROM t");  // The last to close removes log and index.
  ASSERT_FALSE(std::filesystem::exists(path("-wal")));
  const std::string before = content(path());
  const auto source = start();
  const auto transaction = source->begin(path());
  ASSERT_TRUE(transaction) << transaction.error().message();
  EXPECT_EQ((*transaction)->state().journal, JournalMode::Wal);
  EXPECT_TRUE((*transaction)->state().wal_is_in_file);
  EXPECT_FALSE((*transaction)->state().wal);
  EXPECT_EQ((*transaction)->state().page_count * 4096, content(path()).size());
  // As any reader does, it leaves an empty log beside; a checkpoint would remove it.
  EXPECT_TRUE((*transaction)->end());
  EXPECT_EQ(content(path()), before);
  EXPECT_EQ(content(path("-wal")), "");
}

TEST_F(SqliteProcess, ReportsADatabaseThatWasReplacedWhileItWasRead) {
  make("delete");
  const auto source = start();
  const auto transaction = source->begin(path());
  ASSERT_TRUE(transaction);
  std::filesystem::copy_file(path(), path(".new"));
  std::filesystem::rename(path(".new"), path());
  const Status ended = (*transaction)->end();
  ASSERT_FALSE(ended);
  EXPECT_THAT(ended.error().message(), ::testing::HasSubstr("replaced"));
}

TEST_F(SqliteProcess, IsNotCurrentAnyMoreAfterACommit) {
  make("wal");
  const auto source = start();
  const auto transaction = source->begin(path());
  ASSERT_TRUE(transaction);
  EXPECT_TRUE((*transaction)->is_current().value());
  Database writer(path());
  writer.run("UPDATE t SET b=1 WHERE a=1");
  EXPECT_FALSE((*transaction)->is_current().value());
  EXPECT_TRUE((*transaction)->end());
}

// covers I11 S20: with every system call refused that changes a file.
TEST_F(SqliteProcess, ChangesNothingAtAll) {
  for (const std::string mode : {"delete", "persist", "wal"}) {
    SCOPED_TRACE(mode);
    make(mode);
    Database writer(path());
    writer.keep_log();
    EXPECT_EQ(writer.ask("SELECT count(*) FROM t"), "3");  // Makes the index, which stays.
    const auto files = [&] {
      std::string all;
      for (const std::string suffix : {"", "-wal", "-journal"}) {
        struct stat status {};
        if (::stat(path(suffix).c_str(), &status) != 0) continue;
        all += suffix + ": " + std::to_string(status.st_mtim.tv_sec) + "." +
               std::to_string(status.st_mtim.tv_nsec) + " " + std::to_string(status.st_mode) + " " +
               content(path(suffix)) + "\n";
      }
      return all;
    };
    const std::string before = files();
    {
      const auto source = start({.path = PAGEVAULT_DENIED_HELPER});
      const auto transaction = source->begin(path());
      ASSERT_TRUE(transaction) << transaction.error().message();
      EXPECT_TRUE((*transaction)->is_current().value());
      EXPECT_TRUE((*transaction)->end());
    }
    EXPECT_EQ(files(), before);
    writer.close();
    for (const std::string suffix : {"", "-wal", "-shm", "-journal"}) {
      std::filesystem::remove(path(suffix));
    }
  }
}

// covers F6.3 S16: a helper that a hostile database took over may answer anything.
TEST(HelperMessage, OfAnyBytesIsRefusedOrReadBack) {
  using namespace sqlitesupport;
  HelperReply begun{.kind = ReplyKind::Begun, .transaction = 3};
  begun.state.journal = JournalMode::Wal;
  begun.state.page_size = 4096;
  begun.state.wal = WalPosition{.salt = {1, 2}, .frames = 3, .checksum = {4, 5}};
  const Bytes good = encode_reply(begun);
  const auto read = decode_reply(good);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->transaction, 3U);
  EXPECT_EQ(read->state.wal, begun.state.wal);
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(decode_reply(ByteView(good).first(length)));
  }
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const unsigned value : {0U, 1U, 2U, 7U, 255U}) {
      Bytes bad = good;
      bad[at] = static_cast<std::byte>(value);
      const auto other = decode_reply(bad);
      if (other && other->kind == ReplyKind::Begun) {
        EXPECT_TRUE(equal_bytes(encode_reply(*other), bad)) << at;
      }
      static_cast<void>(decode_request(bad));
    }
  }
}

}  // namespace
}  // namespace pagevault
