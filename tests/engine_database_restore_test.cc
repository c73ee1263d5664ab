// Restores over databases that have a log or journal beside them, or are in use: whatever goes
// wrong, new bytes never stand beside an old log.

#include "fault_scenario.h"
#include "pagevault/sqlitesupport/read_transaction.h"

namespace pagevault::testing {
namespace {

/// A transaction on a database whose file is all there is.
class FileTransaction final : public sqlitesupport::ReadTransaction {
 public:
  explicit FileTransaction(sqlitesupport::DatabaseState state) : state_(state) {}
  const sqlitesupport::DatabaseState& state() const override { return state_; }
  Result<bool> is_current() override { return true; }
  Status end() override { return ok(); }

 private:
  sqlitesupport::DatabaseState state_;
};

class FileTransactions final : public sqlitesupport::TransactionSource {
 public:
  explicit FileTransactions(SimEnv& env) : env_(env) {}
  Result<std::unique_ptr<sqlitesupport::ReadTransaction>> begin(const std::string& path) override {
    sqlitesupport::DatabaseState state;
    state.page_size = kPage;
    state.page_count = static_cast<std::uint32_t>(env_.file_size(path) / kPage);
    return std::unique_ptr<sqlitesupport::ReadTransaction>(new FileTransaction(state));
  }
  std::string sqlite_version() override { return "none"; }

  static constexpr std::uint32_t kPage = 4096;

 private:
  SimEnv& env_;
};

/// /src/app.db in a snapshot; at /out another one that looks the same to stat, with all leftovers.
class DatabaseRestore : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(vault.init());
    wanted = fake_database(200, FileTransactions::kPage, 1);
    env.write_file("/src/app.db", wanted);
    env.advance_time(10'000'000'000);
    auto backup = vault.request({"/src/app.db"});
    backup.databases = {.transactions = &transactions};
    Recorder taken;
    const auto report = vault.backup(backup, taken);
    ASSERT_TRUE(report) << report.error().message();
    ASSERT_FALSE(report->incomplete) << taken.text();
    id = *report->snapshot;
    old = wanted;
    for (const std::size_t page : {20U, 90U, 150U})
      old.at(page * FileTransactions::kPage) ^= std::byte{1};
    set_old_database();
  }

  void set_old_database() {
    env.write_file(kTarget, old);
    const auto dir = open("/out");
    const auto time = open("/src")->stat("app.db")->mtime_ns;
    ASSERT_TRUE(dir->set_metadata("app.db", {.mode = {}, .uid = {}, .gid = {}, .mtime_ns = time}));
    env.write_file(kLog, "frames of the old database");
    env.write_file(kIndex, Bytes(32768));
    env.write_file(kJournal, "");
  }
  std::unique_ptr<Dir> open(const std::string& path) {
    return std::move(env.open_dir(path).value());
  }
  engine::RestoreRequest request() const {
    engine::RestoreRequest out;
    out.snapshot = id;
    out.path = "/src";
    out.target = "/out";
    out.delta = GetParam();
    return out;
  }
  engine::RestoreReport must_restore(const engine::RestoreRequest& wanted_request) {
    recorder = {};
    const auto report = vault.restore(wanted_request, recorder);
    EXPECT_TRUE(report) << report.error().message();
    if (!report) return {};
    EXPECT_EQ(report->damaged + report->failed, 0U) << recorder.text();
    return *report;
  }
  /// The one problem that a restore reports.
  Error problem_of(const engine::RestoreRequest& refused) {
    recorder = {};
    const auto report = vault.restore(refused, recorder);
    if (!report || report->failed != 1 || recorder.problems.size() != 1) {
      ADD_FAILURE() << recorder.text();
      return {ErrorCode::Io, "none"};
    }
    return recorder.problems[0].error;
  }
  bool has_new_bytes() const { return env.read_file(kTarget) == wanted; }
  bool has_leftovers() const {
    return env.exists(kLog) || env.exists(kIndex) || env.exists(kJournal);
  }
  void expect_restored() {
    EXPECT_TRUE(has_new_bytes());
    EXPECT_FALSE(has_leftovers());
  }
  void expect_untouched() {
    EXPECT_TRUE(env.read_file(kTarget) == old);
    EXPECT_TRUE(env.exists(kLog) && env.exists(kIndex) && env.exists(kJournal));
  }
  /// What holds at any moment: the log is beside what it belongs to, or gone.
  void expect_no_pairing() {
    const bool paired = env.exists(kLog) && env.read_file(kTarget) != old;
    EXPECT_FALSE(paired) << "new bytes, old log";
  }

  /// Of a new file: whole, or still the old one; and that without its log only when the new one is
  /// there, too.
  void expect_old_or_new() {
    if (GetParam() || has_new_bytes()) return;
    EXPECT_TRUE(env.read_file(kTarget) == old);
    if (!env.exists(kLog)) expect_new_bytes_kept();
  }
  void expect_new_bytes_kept() {
    for (const std::string& path : env.list_files("/out")) {
      if (path.starts_with("/out/.pv-restore-") && env.read_file(path) == wanted) return;
    }
    ADD_FAILURE() << "the old log is gone and the new database, too";
  }

  static constexpr const char* kTarget = "/out/app.db";
  static constexpr const char* kLog = "/out/app.db-wal";
  static constexpr const char* kIndex = "/out/app.db-shm";
  static constexpr const char* kJournal = "/out/app.db-journal";

  SimEnv env;
  Vault vault{env};
  FileTransactions transactions{env};
  SnapshotId id;
  Bytes wanted;
  Bytes old;
  Recorder recorder;
};

INSTANTIATE_TEST_SUITE_P(Ways, DatabaseRestore, ::testing::Values(false, true),
                         [](const auto& way) { return way.param ? "InPlace" : "AsANewFile"; });

TEST_P(DatabaseRestore, TakesAwayWhatLayBesideTheOldDatabase) {
  must_restore(request());
  expect_restored();
}

TEST_P(DatabaseRestore, OnceDoneSurvivesAPowerLossWhereALogWasTakenAway) {  // covers F1.2
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    set_old_database();
    must_restore(request());
    env.power_loss(seed);
    EXPECT_FALSE(has_leftovers());
    EXPECT_TRUE(GetParam() || has_new_bytes()) << seed;
  }
}

TEST_P(DatabaseRestore, TakesAwayALogWithoutADatabaseAndOneBesideEqualBytes) {
  env.remove(kTarget);
  must_restore(request());
  expect_restored();
  env.write_file(kLog, "frames");
  must_restore(request());
  expect_restored();
}

TEST_P(DatabaseRestore, NeverHasNewBytesBesideAnOldLogWhereverItEnds) {
  // covers F1.1, F1.2, F1.3, F8.10, I12
  constexpr std::uint64_t kLosses = 8;  // For each call: a kill, and power losses of several seeds.
  const SimDisk disk = env.save();
  const std::uint64_t before = env.calls();
  must_restore(request());
  const std::uint64_t calls = env.calls() - before;
  for (std::uint64_t k = 0; k < kLosses * calls; ++k) {
    SCOPED_TRACE(fmt::format("k={} of {}", k, kLosses * calls));
    env.load(disk);
    env.reseed(k);
    env.crash_at_call(k / kLosses);
    vault.restore(request(), recorder).ignore("killed on purpose");
    k % kLosses == 0 ? env.process_restart() : env.power_loss(k);
    expect_no_pairing();
    expect_old_or_new();
    must_restore(request());
    expect_restored();
    if (HasFailure()) return;
  }
}

TEST_P(DatabaseRestore, NeverHasNewBytesBesideAnOldLogAfterAnyKillAndALaterPowerLoss) {
  // covers F1.2, F1.3: what the killed run removed was not durable yet.
  const SimDisk disk = env.save();
  const std::uint64_t before = env.calls();
  must_restore(request());
  const std::uint64_t calls = env.calls() - before;
  for (std::uint64_t k = 0; k < calls; ++k) {
    SCOPED_TRACE(fmt::format("k={} of {}", k, calls));
    env.load(disk);
    env.reseed(k);
    env.crash_at_call(k);
    vault.restore(request(), recorder).ignore("killed on purpose");
    env.process_restart();
    must_restore(request());
    const SimDisk restored = env.save();
    for (std::uint64_t seed = 0; seed < 16; ++seed) {
      env.load(restored);
      env.power_loss(16 * k + seed);
      expect_no_pairing();
    }
    if (HasFailure()) return;
  }
}

TEST_P(DatabaseRestore, FailingAtAnyCallLeavesOldOrNewOrSaysWhereTheNewIs) {
  // covers F2.1, F2.2, F2.3, F3.2, I3
  const SimDisk disk = env.save();
  for (const SimEffect effect : {SimEffect::NotDone, SimEffect::Done}) {
    std::uint64_t fired = 1;
    for (std::uint64_t k = 0; fired > 0; ++k) {
      SCOPED_TRACE(fmt::format("effect={} k={}", effect == SimEffect::Done, k));
      env.load(disk);
      const std::uint64_t before = env.faults_fired();
      env.fail_call({.call = k, .effect = effect});
      recorder = {};
      const auto report = vault.restore(request(), recorder);
      fired = env.faults_fired() - before;
      env.clear_faults();
      expect_no_pairing();
      const bool told = !report || report->damaged + report->failed > 0;
      if (!told) expect_restored();
      if (told && !GetParam() && !env.exists(kLog) && !has_new_bytes()) expect_new_bytes_kept();
      must_restore(request());
      expect_restored();
      if (HasFailure()) return;
    }
  }
}

TEST_P(DatabaseRestore, RefusesADatabaseInUseByAnyOfItsLocks) {  // covers F8.11
  constexpr ByteRange kShared{0x40000002, 510};
  constexpr ByteRange kPending{0x40000000, 1};
  constexpr ByteRange kReader{123, 1};
  constexpr ByteRange kOpenInWalMode{128, 1};
  for (const auto& [path, lock] : {std::pair(kTarget, kShared), std::pair(kTarget, kPending),
                                   std::pair(kIndex, kReader), std::pair(kIndex, kOpenInWalMode)}) {
    SCOPED_TRACE(fmt::format("{} {}", path, lock.offset));
    env.set_locked(path, lock);
    const Error error = problem_of(request());
    EXPECT_EQ(error.code(), ErrorCode::Locked);
    EXPECT_NE(error.message().find("/out/app.db: the database is in use; stop the application"),
              std::string::npos)
        << error.message();
    expect_untouched();
    env.set_locked(path, {});
  }
  must_restore(request());
  expect_restored();
}

TEST_P(DatabaseRestore, RefusesADatabaseThatIsOpenedWhileItIsRestored) {  // covers F8.11
  const auto mode = open("/out")->stat("app.db")->mode;
  for (unsigned call = 0; call < 2; ++call) {
    unsigned looked = 0;
    env.on_call([&](const SimCall& seen) {
      const bool looks = seen.operation == "look for locks" && seen.path == kTarget;
      if (looks && looked++ == call) env.set_locked(kIndex, {128, 1});
    });
    EXPECT_EQ(problem_of(request()).code(), ErrorCode::Locked);
    env.on_call({});
    expect_untouched();
    EXPECT_EQ(open("/out")->stat("app.db")->mode, mode);
    env.set_locked(kIndex, {});
  }
}

TEST_P(DatabaseRestore, RefusesWhatItCannotAskForLocks) {
  env.set_denied(kTarget, true);
  EXPECT_EQ(problem_of(request()).code(), ErrorCode::Io);
  env.set_denied(kTarget, false);
  expect_untouched();
}

TEST_P(DatabaseRestore, WithIfChangedEqualSizeAndTimeProveNothingWhileALogLiesBeside) {
  auto changed = request();
  changed.overwrite = engine::Overwrite::IfChanged;
  must_restore(changed);
  expect_restored();
  EXPECT_EQ(must_restore(changed).files_skipped, 1U);
  for (const char* const beside : {kLog, kJournal}) {
    env.write_file(beside, "");
    EXPECT_EQ(must_restore(changed).files_skipped, 1U);
    env.write_file(beside, "something");
    EXPECT_EQ(must_restore(changed).files_skipped, 0U);
    expect_restored();
  }
}

TEST_P(DatabaseRestore, LooksIntoEachDatabaseWhenAskedTo) {  // covers F8.12
  auto verified = request();
  verified.verify = true;
  std::vector<std::string> seen;
  verified.check_database = [&](const std::string& path) -> Result<std::vector<std::string>> {
    seen.push_back(path);
    EXPECT_TRUE(has_new_bytes() && !has_leftovers());
    return std::vector<std::string>{"a", "b", "c", "d", "e", "f", "g"};
  };
  recorder = {};
  const auto report = vault.restore(verified, recorder);
  ASSERT_TRUE(report);
  EXPECT_EQ(seen, std::vector<std::string>{kTarget});
  EXPECT_EQ(report->databases_checked, 1U);
  EXPECT_EQ(report->databases_unsound, 1U);
  EXPECT_EQ(report->damaged + report->failed, 0U);
  ASSERT_EQ(recorder.problems.size(), 1U);
  EXPECT_EQ(recorder.problems[0].path, "/src/app.db");
  EXPECT_EQ(recorder.problems[0].error.message(),
            "restored bytes are those of the snapshot (ids match), but SQLite reports: a; b; c; d; "
            "e; and 2 more");
  verified.dry_run = true;
  must_restore(verified);
  EXPECT_EQ(seen.size(), 1U);
}

TEST_P(DatabaseRestore, LeavesTheOldLogBesideTheOldDatabaseWhenTheNewOneIsDamaged) {
  // covers F5.1, I3
  old = random_bytes(wanted.size(), 5);  // In place nothing of it is of use.
  set_old_database();
  for (const std::string& pack : env.list_files("/repo/packs")) {
    if (env.file_size(pack) > 20'000) env.flip_bit(pack, 8 * (env.file_size(pack) / 4));
  }
  recorder = {};
  const auto report = vault.restore(request(), recorder);
  ASSERT_TRUE(report);
  ASSERT_GT(report->damaged, 0U) << recorder.text();
  EXPECT_TRUE(env.exists("/out/app.db.pv-damaged"));
  EXPECT_FALSE(env.exists("/out/app.db.pv-damaged-wal"));
  if (GetParam()) {
    EXPECT_FALSE(env.exists(kTarget) || has_leftovers());
  } else {
    expect_untouched();
  }
}

TEST_P(DatabaseRestore, WithNeverKeepsWhatIsThereAndWritesNothingBesideAnOldLog) {
  auto never = request();
  never.delta = false;  // Which contradicts it.
  never.overwrite = engine::Overwrite::Never;
  env.set_locked(kTarget, {0x40000002, 510});  // In use or not: it is not touched.
  EXPECT_EQ(must_restore(never).files_skipped, 1U);
  expect_untouched();
  env.remove(kTarget);
  EXPECT_EQ(problem_of(never).code(), ErrorCode::AlreadyExists);
  EXPECT_TRUE(!env.exists(kTarget) && env.exists(kLog));
  env.remove(kLog);
  must_restore(never);
  expect_restored();
}

TEST_P(DatabaseRestore, TakesAwayTheLogBesideEveryNameOfADatabase) {  // covers F6.2
  const auto src = open("/src");
  ASSERT_TRUE(src->make_hard_link(*src, "app.db", "second.db"));
  env.advance_time(10'000'000'000);
  auto backup = vault.request({"/src/app.db", "/src/second.db"});
  backup.databases = {.transactions = &transactions};
  const auto report = vault.backup(backup, recorder);
  ASSERT_TRUE(report);
  id = *report->snapshot;
  env.write_file("/out/second.db", old);
  env.write_file("/out/second.db-wal", "frames of the old database");
  must_restore(request());
  expect_restored();
  EXPECT_TRUE(env.read_file("/out/second.db") == wanted);
  EXPECT_FALSE(env.exists("/out/second.db-wal"));
}

}  // namespace
}  // namespace pagevault::testing
