// The loop that watches databases, in the simulator: when it takes snapshots, when it does not, and
// what it says while the repository or a database is away. No real time passes.

#include "pagevault/engine/watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>

#include "pagevault/base/sim_env.h"

namespace pagevault {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::int64_t kSecond = 1'000'000'000;

/// What the watch told, in order, with the second it was told in.
class Diary final : public engine::WatchObserver {
 public:
  explicit Diary(Env& env) : env_(env), begun_ns_(env.monotonic_ns()) {}

  void on_snapshot(const engine::WatchedSnapshot&) override { add("snapshot"); }
  void on_outage(const Error& error) override { add("outage: " + error.message()); }
  void on_outage_over() override { add("over"); }
  void on_database_problem(const engine::SourceError& p) override {
    add(p.path + ": " + std::string(to_string(p.error.code())));
  }
  void on_database_back(const std::string& path) override { add(path + ": back"); }
  void on_warning(const std::string& text) override { add("warning: " + text); }

  std::vector<std::string> lines;
  std::vector<std::int64_t> snapshot_seconds;

  std::int64_t seconds() { return (env_.monotonic_ns() - begun_ns_) / kSecond; }

 private:
  void add(const std::string& line) {
    lines.push_back(line);
    if (line == "snapshot") snapshot_seconds.push_back(seconds());
  }
  Env& env_;
  std::int64_t begun_ns_;
};

class WatchTest : public ::testing::Test {
 protected:
  WatchTest() : diary_(env_) {
    write("/srv/a.db", "one");
    // The world goes on while the watch sleeps: second by second, as planned.
    env_.on_wait([this](std::int64_t deadline) {
      while (env_.monotonic_ns() < deadline && !cancel_.cancelled()) {
        env_.advance_time(std::min(kSecond / 4, deadline - env_.monotonic_ns()));
        if (world_) world_(static_cast<double>(env_.monotonic_ns() - begun_ns_) / kSecond);
        if (env_.monotonic_ns() - begun_ns_ > end_seconds_ * kSecond) cancel_.cancel();
      }
    });
    request_.databases = [this] { return Result(paths_); };
    request_.backup = [this](const std::vector<std::string>& paths, engine::BackupObserver& seen) {
      return backup(paths, seen);
    };
  }

  void write(const std::string& path, std::string_view text) { env_.write_file(path, text); }

  Result<engine::BackupReport> backup(const std::vector<std::string>& paths,
                                      engine::BackupObserver& seen) {
    ++attempts_;
    attempt_times_.push_back(env_.monotonic_ns());
    env_.advance_time(backup_ns_);
    if (failure_) return *failure_;
    engine::BackupReport report;
    for (const std::string& path : paths) {
      const auto refused = refused_.find(path);
      if (refused != refused_.end()) seen.on_source_error({path, {refused->second, "refused"}});
      if (!env_.exists(path)) seen.on_source_error({path, {ErrorCode::NotFound, "is not there"}});
    }
    return report;
  }

  /// Runs until `seconds` have passed, then cancels.
  Status watch(std::int64_t seconds) {
    end_seconds_ = seconds;
    return engine::run_watch(env_, request_, diary_, cancel_);
  }

  SimEnv env_;
  CancelToken cancel_;
  Diary diary_;
  engine::WatchRequest request_;
  std::vector<std::string> paths_ = {"/srv/a.db"};
  std::function<void(double)> world_;
  std::optional<Error> failure_;
  std::map<std::string, ErrorCode> refused_;
  std::int64_t backup_ns_ = 0;
  int attempts_ = 0;
  std::vector<std::int64_t> attempt_times_;
  std::int64_t begun_ns_ = env_.monotonic_ns();
  std::int64_t end_seconds_ = 0;
};

/// Calls `act` once, when `at` seconds have passed.
std::function<void(double)> once_at(double at, std::function<void()> act) {
  return [at, act = std::move(act), done = false](double now) mutable {
    if (!done && now >= at) act();
    done = done || now >= at;
  };
}

TEST_F(WatchTest, TheFirstLookTakesASnapshotAndOthersOnlyWhenSomethingChanged) {
  world_ = once_at(34.5, [this] { write("/srv/a.db", "two"); });
  EXPECT_EQ(watch(100).error().code(), ErrorCode::Cancelled);
  EXPECT_THAT(diary_.snapshot_seconds, ElementsAre(0, 40));
  EXPECT_EQ(attempts_, 2);
}

TEST_F(WatchTest, ADatabaseThatChangesAllTheTimeIsSavedOncePerInterval) {
  int n = 0;
  world_ = [&](double) { write("/srv/a.db", std::to_string(++n)); };
  EXPECT_FALSE(watch(45));
  EXPECT_THAT(diary_.snapshot_seconds, ElementsAre(0, 10, 20, 30, 40));
}

TEST_F(WatchTest, ASnapshotThatTakesLongerThanTheIntervalIsFollowedAtTheNextTick) {
  backup_ns_ = 12 * kSecond;
  int n = 0;
  world_ = [&](double) { write("/srv/a.db", std::to_string(++n)); };
  EXPECT_FALSE(watch(60));
  EXPECT_THAT(diary_.snapshot_seconds, ElementsAre(12, 32, 52));
}

TEST_F(WatchTest, ALogThatGrowsOrStartsAgainIsAChangeAndAnEmptyOneIsNone) {
  write("/srv/a.db-wal", "");
  world_ = [this, step = 0](double now) mutable {
    if (step == 0 && now > 12) {
      env_.remove("/srv/a.db-wal");
    } else if (step == 1 && now > 22) {
      write("/srv/a.db-wal", "frames");
    } else if (step == 2 && now > 42) {
      write("/srv/a.db-wal", "FRAMES");
    } else {
      return;
    }
    ++step;
  };
  EXPECT_FALSE(watch(70));
  EXPECT_THAT(diary_.snapshot_seconds, ElementsAre(0, 30, 50));
}

// A commit with synchronous=FULL is written, then synced, then made visible: by the index alone.
TEST_F(WatchTest, ACommitThatBecomesVisibleWithoutAWriteToTheLogIsSeen) {
  write("/srv/a.db-wal", "frames");
  write("/srv/a.db-shm", std::string(136, '\0'));
  world_ = once_at(15, [this] {
    env_.write_file("/srv/a.db-shm", std::string(48, '\1') + std::string(88, '\0'));
  });
  EXPECT_FALSE(watch(50));
  EXPECT_THAT(diary_.snapshot_seconds, ElementsAre(0, 20));
}

TEST_F(WatchTest, ReadersMarksInTheIndexAreNoChange) {
  write("/srv/a.db-wal", "frames");
  write("/srv/a.db-shm", std::string(136, '\0'));
  world_ = once_at(15, [this] {
    env_.write_file("/srv/a.db-shm", std::string(48, '\0') + std::string(88, '\1'));
  });
  EXPECT_FALSE(watch(50));
  EXPECT_THAT(diary_.snapshot_seconds, ElementsAre(0));
}

// What is written in the same step of the clock as the look leaves no trace in the times.
TEST_F(WatchTest, ASnapshotBeginsAStepOfTheClockAfterItsLook) {
  const std::int64_t begun = env_.monotonic_ns();
  EXPECT_FALSE(watch(5));
  ASSERT_EQ(attempt_times_.size(), 1U);
  EXPECT_GE(attempt_times_[0] - begun, 20'000'000);
}

// covers F1.4
TEST_F(WatchTest, AnOutageIsToldOnceTriedAgainForEverAndToldWhenItIsOver) {
  failure_ = Error(ErrorCode::Io, "nas is away");
  world_ = once_at(7200, [this] { failure_.reset(); });
  EXPECT_EQ(watch(9000).error().code(), ErrorCode::Cancelled);
  EXPECT_THAT(diary_.lines, ElementsAre("outage: nas is away", "over", "snapshot"));
  EXPECT_GE(diary_.snapshot_seconds[0], 7200);
  EXPECT_LE(diary_.snapshot_seconds[0], 7200 + 301);
}

TEST_F(WatchTest, RetriesAreSpreadAtRandomAndGrowToFiveMinutesWhateverTheDatabaseDoes) {
  failure_ = Error(ErrorCode::NoSpace, "full");
  int n = 0;
  world_ = [&](double) { write("/srv/a.db", std::to_string(++n)); };
  EXPECT_FALSE(watch(7200));
  std::vector<std::int64_t> gaps;
  for (std::size_t i = 1; i < attempt_times_.size(); ++i) {
    gaps.push_back(attempt_times_[i] - attempt_times_[i - 1]);
  }
  ASSERT_GT(gaps.size(), 20U);
  for (std::size_t i = 0; i < gaps.size(); ++i) {
    const std::int64_t most = i < 9 ? std::min(kSecond << i, 300 * kSecond) : 300 * kSecond;
    EXPECT_GE(gaps[i], most / 2);
    EXPECT_LE(gaps[i], most + kSecond);
  }
  EXPECT_NE(gaps[gaps.size() - 1], gaps[gaps.size() - 2]);
}

TEST_F(WatchTest, AnotherReasonForAnOutageIsTold) {
  failure_ = Error(ErrorCode::Io, "nas is away");
  world_ = once_at(100, [this] { failure_ = Error(ErrorCode::NoSpace, "full"); });
  EXPECT_FALSE(watch(1000));
  EXPECT_THAT(diary_.lines, ElementsAre("outage: nas is away", "outage: full"));
}

TEST_F(WatchTest, WhatWaitingDoesNotHealEndsItAtTheStartAndOnlyThen) {
  for (const ErrorCode code : {ErrorCode::WrongKey, ErrorCode::Corrupt, ErrorCode::Unsupported}) {
    failure_ = Error(code, "no");
    const Status ended = watch(1000);
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code(), code);
  }
  EXPECT_THAT(diary_.lines, IsEmpty());
  failure_.reset();
  world_ = [this](double now) {
    write("/srv/a.db", std::to_string(now));
    if (now > 500) failure_ = Error(ErrorCode::WrongKey, "no");
  };
  EXPECT_EQ(watch(1000).error().code(), ErrorCode::Cancelled);
  EXPECT_EQ(diary_.lines.back(), "outage: no");
}

TEST_F(WatchTest, ADatabaseThatVanishesIsToldOnceAndSavedAgainWhenItIsBack) {
  const auto vanish = once_at(15, [this] { env_.remove("/srv/a.db"); });
  const auto come_back = once_at(65, [this] { write("/srv/a.db", "one"); });
  world_ = [vanish, come_back](double now) {
    vanish(now);
    come_back(now);
  };
  EXPECT_FALSE(watch(100));
  EXPECT_THAT(diary_.lines,
              ElementsAre("snapshot", "/srv/a.db: NotFound", "snapshot", "/srv/a.db: back"));
  EXPECT_THAT(diary_.snapshot_seconds, ElementsAre(0, 70));
}

TEST_F(WatchTest, OneVanishedDatabaseDoesNotKeepTheOthersFromBeingSaved) {
  paths_ = {"/srv/a.db", "/srv/b.db"};
  write("/srv/b.db", "b");
  int n = 0;
  world_ = [&](double now) {
    write("/srv/b.db", std::to_string(++n));
    if (now > 15 && env_.exists("/srv/a.db")) env_.remove("/srv/a.db");
  };
  EXPECT_FALSE(watch(45));
  EXPECT_THAT(diary_.lines, ElementsAre("snapshot", "snapshot", "/srv/a.db: NotFound", "snapshot",
                                        "snapshot", "snapshot"));
}

// Its stat says nothing of when a lock goes.
TEST_F(WatchTest, ADatabaseThatCouldNotBeReadIsTriedAgainThoughItDidNotChange) {
  refused_["/srv/a.db"] = ErrorCode::Locked;
  world_ = once_at(25, [this] { refused_.clear(); });
  EXPECT_FALSE(watch(60));
  EXPECT_EQ(diary_.lines.front(), "/srv/a.db: Locked");
  EXPECT_EQ(diary_.lines.back(), "/srv/a.db: back");
  EXPECT_EQ(std::ranges::count(diary_.lines, "/srv/a.db: Locked"), 1);
  EXPECT_EQ(diary_.snapshot_seconds.back(), 30);
}

TEST_F(WatchTest, ADatabaseThatCanNeverBeReadCostsASnapshotEveryFiveMinutesAtMost) {
  refused_["/srv/a.db"] = ErrorCode::Io;
  EXPECT_FALSE(watch(36'000));
  EXPECT_LT(attempts_, 36'000 / 150 + 12);
  EXPECT_GT(attempts_, 36'000 / 310);
}

TEST_F(WatchTest, NewMatchesOfAPatternAreSaved) {
  world_ = once_at(15, [this] {
    write("/srv/b.db", "b");
    paths_ = {"/srv/a.db", "/srv/b.db"};
  });
  EXPECT_FALSE(watch(40));
  EXPECT_THAT(diary_.snapshot_seconds, ElementsAre(0, 20));
}

// covers F1.4
TEST_F(WatchTest, CancelledWhileABackupRunsItEndsWithoutCallingThatAnOutage) {
  request_.backup = [this](const auto&, engine::BackupObserver&) -> Result<engine::BackupReport> {
    cancel_.cancel();
    return Error(ErrorCode::Cancelled, "interrupted");
  };
  EXPECT_EQ(watch(1000).error().code(), ErrorCode::Cancelled);
  EXPECT_THAT(diary_.lines, IsEmpty());
}

TEST_F(WatchTest, ASnapshotThatWasMadeBeforeTheCancelIsTold) {
  request_.backup = [this](const auto&, engine::BackupObserver&) -> Result<engine::BackupReport> {
    cancel_.cancel();
    return engine::BackupReport{};
  };
  EXPECT_FALSE(watch(1000));
  EXPECT_THAT(diary_.lines, ElementsAre("snapshot"));
}

TEST_F(WatchTest, ALookThatFindsNoChangeReadsNothingButWhatLiesBesideTheDatabase) {
  std::vector<std::string> seen;
  world_ = once_at(5, [&] {
    env_.on_call([&](const SimCall& call) {
      EXPECT_EQ(call.kind, SimCallKind::Read);
      seen.push_back(std::string(call.path));
    });
  });
  EXPECT_FALSE(watch(15));
  EXPECT_EQ(attempts_, 1);
  EXPECT_THAT(seen, ElementsAre("/srv", "/srv/a.db", "/srv/a.db-wal"));
}

}  // namespace
}  // namespace pagevault
