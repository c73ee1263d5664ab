// Backups of SQLite databases in the simulator, where every call can fail. The bytes and what a
// transaction sees of them are SQLite's own; transactions are played by the test.

#include <gmock/gmock.h>

#include <map>
#include <optional>

#include "engine_fixture.h"
#include "sqlite_transaction.h"
#include "sqlite_vocabulary.h"

namespace pagevault {
namespace {

using sqlitesupport::DatabaseState;
using sqlitesupport::ReadTransaction;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Recorder;
using testing::Vault;

/// Answers what it is told to, and keeps what it was asked.
class PlayedTransactions final : public sqlitesupport::TransactionSource {
 public:
  std::map<std::string, DatabaseState> states;
  std::map<std::string, Error> end_errors;
  std::function<void()> on_begin;
  int stale_attempts = 0;  ///< So many answers to is_current are no.
  std::vector<std::string> log;

  Result<std::unique_ptr<ReadTransaction>> begin(const std::string& path) override {
    log.push_back("begin " + path);
    if (on_begin) on_begin();
    return std::unique_ptr<ReadTransaction>(std::make_unique<Played>(*this, path));
  }
  std::string sqlite_version() override { return "played"; }
  std::int64_t count(const std::string& line) const { return std::ranges::count(log, line); }

 private:
  class Played final : public ReadTransaction {
   public:
    Played(PlayedTransactions& source, std::string path)
        : source_(source), path_(std::move(path)), state_(source.states.at(path_)) {}
    ~Played() override { finish(); }
    const DatabaseState& state() const override { return state_; }
    Result<bool> is_current() override { return source_.stale_attempts-- <= 0; }
    Status end() override {
      finish();
      const auto found = source_.end_errors.find(path_);
      if (found != source_.end_errors.end()) return found->second;
      return ok();
    }

   private:
    void finish() {
      if (!std::exchange(ended_, true)) source_.log.push_back("end " + path_);
    }
    PlayedTransactions& source_;
    std::string path_;
    DatabaseState state_;
    bool ended_ = false;
  };
};

class EngineSqlite : public ::testing::Test {
 protected:
  EngineSqlite() : vault_(env_) {
    EXPECT_TRUE(vault_.init());
    make("/srv/a.db", "wal", 400);
    make("/srv/b.db", "delete", 300);
    env_.advance_time(10'000'000'000);  // Times of now prove nothing.
  }

  /// A database as it lies on disk while its writer has it open.
  void make(const std::string& path, const std::string& mode, int rows) {
    const testing::ScratchDir scratch;
    const std::string real = scratch.path() + "/x.db";
    testing::Database database(real);
    database.run("PRAGMA journal_mode=" + mode);
    database.run("PRAGMA wal_autocheckpoint=0; CREATE TABLE t(id INTEGER PRIMARY KEY, x)");
    fill(database, rows);
    if (mode == "wal") database.run("PRAGMA wal_checkpoint(PASSIVE)");
    database.run("UPDATE t SET x = 'changed' WHERE id = 7");
    images_[path] = testing::serialized(database);
    sqlitesupport::SqliteTransactionSource source;
    const auto transaction = source.begin(real);
    ASSERT_TRUE(transaction) << transaction.error().message();
    played_.states[path] = (*transaction)->state();
    // Raw descriptors beside a connection drop its locks (F8.11): nobody is left to mind.
    const auto env = make_linux_env();
    const auto dir = env->open_dir(scratch.path());
    for (const char* end : {"", "-wal"}) copy(**dir, std::string("x.db") + end, path + end);
  }
  static void fill(testing::Database& database, int rows) {
    database.run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
                 std::to_string(rows) + ") INSERT INTO t SELECT i, hex(randomblob(500)) FROM n");
  }
  void copy(Dir& dir, const std::string& name, const std::string& to) {
    const auto file = dir.open_file(name, OpenMode::Read);
    if (!file) return;
    Bytes bytes((*file)->info()->size);
    ASSERT_EQ((*file)->read_at(0, bytes).value(), bytes.size());
    env_.write_file(to, bytes);
  }

  engine::BackupRequest request(std::vector<std::string> paths, bool together = false) {
    engine::BackupRequest out = vault_.request(std::move(paths));
    out.databases = {.transactions = &played_, .together = together};
    return out;
  }
  Result<engine::BackupReport> backup(std::vector<std::string> paths) {
    recorder_ = {};
    return vault_.backup(request(std::move(paths)), recorder_);
  }
  /// What `snapshot` has of `path`; nothing when it is not in it.
  std::optional<Bytes> restored(const SnapshotId& snapshot, const std::string& path) {
    const std::string target = "/out/" + std::to_string(++restores_);
    const auto done = vault_.restore(snapshot, "", target);
    EXPECT_TRUE(done) << done.error().message();
    return env_.read_file(target + path);
  }
  std::size_t snapshots() { return vault_.snapshots().value().size(); }

  /// Reads of the files of `path` fail at call `k` of a backup. False: it made fewer.
  bool fail_source_call(const std::string& path, std::uint64_t k) {
    const std::uint64_t before = env_.faults_fired();
    std::uint64_t seen = 0;
    env_.on_call([&](const SimCall& call) {
      if (!call.path.starts_with(path) || seen++ != k) return;
      env_.fail_call({.call = 0, .code = ErrorCode::Io, .kinds = {true, false, false, false}});
    });
    report_ = backup({"/srv/a.db", "/srv/b.db"});
    env_.on_call({});
    env_.clear_faults();
    return env_.faults_fired() > before;
  }

  SimEnv env_;
  Vault vault_;
  PlayedTransactions played_;
  Recorder recorder_;
  std::map<std::string, Bytes> images_;
  std::optional<Result<engine::BackupReport>> report_;
  int restores_ = 0;
};

TEST_F(EngineSqlite, WhatIsRestoredIsTheImageOfTheTransaction) {
  const auto report = backup({"/srv/a.db", "/srv/b.db"});
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_FALSE(report->incomplete);
  for (const auto& [path, image] : images_) {
    EXPECT_TRUE(restored(*report->snapshot, path) == image) << path;
  }
}

TEST_F(EngineSqlite, WhatIsUnchangedIsNotRead) {
  for (const char* path : {"/srv/a.db", "/srv/b.db"}) {
    ASSERT_TRUE(backup({path}));
    std::uint64_t least = UINT64_MAX;
    for (int run = 0; run < 2; ++run) {  // One of thirty is audited.
      const auto report = backup({path});
      ASSERT_TRUE(report);
      least = std::min(least, report->stats.bytes_read);
      EXPECT_EQ(report->pages_changed, 0U);
    }
    EXPECT_EQ(least, 0U) << path;
  }
}

// covers S10: times, counters and position in the log are as they were, the bytes are not.
TEST_F(EngineSqlite, AnAuditFindsWithinThirtyHoursWhatTheLogDidNotTell) {
  for (const char* path : {"/srv/a.db", "/srv/b.db"}) {
    ASSERT_TRUE(backup({path}));
    const std::uint64_t at = 20 * 4096 + 100;
    env_.flip_bit(path, at * 8);
    Bytes expected = images_[path];
    expected[at] ^= std::byte{1};
    bool found = false;
    for (int run = 0; run < 30 && !found; ++run) {
      env_.advance_time(3600LL * 1'000'000'000);
      const auto report = backup({path});
      ASSERT_TRUE(report);
      found = !recorder_.warnings.empty();
      EXPECT_EQ(restored(*report->snapshot, path) == expected, found) << path << " run " << run;
    }
    EXPECT_TRUE(found) << path;
  }
}

// covers F8.2
TEST_F(EngineSqlite, AFailingReadOfOneDatabaseIsToldAndNeverStoredAsSomethingElse) {
  const SimDisk clean = env_.save();
  for (const std::string failing : {"/srv/a.db", "/srv/b.db"}) {
    std::uint64_t k = 0;
    for (; fail_source_call(failing, k); ++k) {
      ASSERT_TRUE(report_->has_value()) << "call " << k << ": " << report_->error().message();
      const SnapshotId snapshot = *(**report_).snapshot;
      for (const auto& [path, image] : images_) {
        const auto got = restored(snapshot, path);
        const bool told = recorder_.text().find("source: " + path) != std::string::npos;
        EXPECT_TRUE(got ? *got == image : path == failing && told) << path << " call " << k;
        EXPECT_EQ(told, (**report_).incomplete && path == failing) << path << " call " << k;
      }
      EXPECT_EQ(played_.count("begin " + failing), played_.count("end " + failing));
      env_.load(clean);
    }
    EXPECT_GT(k, 2U) << failing;
    env_.load(clean);
  }
}

TEST_F(EngineSqlite, AnErrorAtTheEndOfATransactionMeansItsBytesAreNotTrusted) {
  played_.end_errors.emplace("/srv/a.db", Error(ErrorCode::Io, "was replaced"));
  const auto report = backup({"/srv/a.db", "/srv/b.db"});
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->incomplete);
  EXPECT_THAT(recorder_.text(), HasSubstr("/srv/a.db: was replaced"));
  EXPECT_FALSE(restored(*report->snapshot, "/srv/a.db"));
  EXPECT_TRUE(restored(*report->snapshot, "/srv/b.db") == images_["/srv/b.db"]);
}

TEST_F(EngineSqlite, AFailureOfTheRepositoryMakesNoSnapshotOrAWholeOneAndBlamesNoDatabase) {
  const SimDisk clean = env_.save();
  std::uint64_t without = 0;
  for (std::uint64_t k = 0;; ++k) {
    const std::uint64_t before = env_.faults_fired();
    env_.fail_call({.call = k,
                    .code = ErrorCode::NoSpace,
                    .permanent = true,
                    .kinds = {false, true, true, true}});
    const auto report = backup({"/srv/a.db", "/srv/b.db"});
    const bool fired = env_.faults_fired() > before;
    env_.clear_faults();
    if (!fired) {
      EXPECT_TRUE(report);
      EXPECT_GT(without, 5U);
      return;
    }
    EXPECT_THAT(recorder_.source_errors, IsEmpty()) << "call " << k;
    const auto made = vault_.snapshots();
    ASSERT_TRUE(made);
    // Only a sync of the name can fail when the snapshot is there: then it is whole.
    EXPECT_LE(made->size(), 1U);
    EXPECT_TRUE(!report || made->size() == 1) << "call " << k;
    for (const SnapshotId& id : *made) {
      EXPECT_TRUE(restored(id, "/srv/a.db") == images_["/srv/a.db"]) << "call " << k;
      EXPECT_TRUE(restored(id, "/srv/b.db") == images_["/srv/b.db"]) << "call " << k;
    }
    without += made->empty() ? 1U : 0U;
    EXPECT_EQ(played_.count("begin /srv/a.db"), played_.count("end /srv/a.db")) << "call " << k;
    env_.load(clean);
  }
}

// Commits of a rollback-mode database wait as long as a transaction lasts.
TEST_F(EngineSqlite, EachTransactionEndsBeforeTheNextBeginsAndBeforeTheCommit) {
  env_.on_call([&](const SimCall& call) {
    const bool commits = call.kind == SimCallKind::Write &&
                         call.path.find("/repo/snapshots") != std::string_view::npos;
    if (commits && played_.log.back() != "commit") played_.log.push_back("commit");
  });
  ASSERT_TRUE(backup({"/srv/a.db", "/srv/b.db"}));
  env_.on_call({});
  EXPECT_THAT(played_.log, ElementsAre("begin /srv/a.db", "end /srv/a.db", "begin /srv/b.db",
                                       "end /srv/b.db", "commit"));
}

TEST_F(EngineSqlite, TogetherTransactionsBeginAgainUntilAllAreCurrent) {
  played_.stale_attempts = 3;
  const auto report = vault_.backup(request({"/srv/a.db", "/srv/b.db"}, true), recorder_);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(played_.count("begin /srv/a.db"), 3) << "two answers an attempt";
  EXPECT_EQ(played_.count("end /srv/a.db"), 3);
  EXPECT_TRUE(restored(*report->snapshot, "/srv/a.db") == images_["/srv/a.db"]);
}

TEST_F(EngineSqlite, TogetherGivesUpWhenNoInstantIsShared) {
  played_.stale_attempts = INT32_MAX;
  const auto report = vault_.backup(request({"/srv/a.db", "/srv/b.db"}, true), recorder_);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::Locked);
  EXPECT_EQ(played_.count("begin /srv/b.db"), played_.count("end /srv/b.db"));
  EXPECT_EQ(snapshots(), 0U);
}

// covers F1.4
TEST_F(EngineSqlite, CancelledItMakesNoSnapshotAndEndsItsTransactions) {
  for (const bool together : {false, true}) {
    const auto workspace = vault_.open();
    ASSERT_TRUE(workspace);
    played_.on_begin = [&] { (*workspace)->cancel().cancel(); };
    const auto report =
        engine::run_backup(**workspace, request({"/srv/a.db", "/srv/b.db"}, together), recorder_);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code(), ErrorCode::Cancelled);
    EXPECT_THAT(recorder_.source_errors, IsEmpty());
    EXPECT_EQ(played_.count("begin /srv/a.db"), played_.count("end /srv/a.db"));
    EXPECT_EQ(snapshots(), 0U);
  }
}

TEST_F(EngineSqlite, AWorkspaceObeysATokenFromOutside) {
  CancelToken cancel;
  auto repository = repo::Repository::open(env_, "/repo", testing::test_key());
  ASSERT_TRUE(repository);
  const auto workspace = engine::Workspace::open(std::move(*repository), "", &cancel);
  ASSERT_TRUE(workspace);
  cancel.cancel();
  const auto report = engine::run_backup(**workspace, request({"/srv/a.db"}), recorder_);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::Cancelled);
}

}  // namespace
}  // namespace pagevault
