// Snapshots of a SQLite database beside everything a writer may do, at every call of SQLite's to
// its files (F8.10): each is, byte for byte, what SQLite sees in the same transaction.
//
// One seed is one interleaving. PAGEVAULT_SEED=n runs that one only; PAGEVAULT_LONG=1 fifty times
// as many, which takes longer than ctest allows: run the program itself.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cstdlib>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sqlite_vfs/snapshot_reader.h"
#include "sqlite_vfs/world.h"
#include "sqlite_vfs/writer.h"

namespace pagevault::testing {
namespace {

constexpr std::uint64_t kSeedsPerShard = 2600;
constexpr std::uint64_t kShards = 4;
constexpr std::uint64_t kLongFactor = 50;
constexpr unsigned kWriterOperations = 24;

/// Named sums of what happened in many scenarios.
class Totals {
 public:
  void add(const std::string& name, std::uint64_t count) {
    for (auto& [known, sum] : sums_) {
      if (known == name) {
        sum += count;
        return;
      }
    }
    sums_.emplace_back(name, count);
  }
  void add(const WriterCounts& counts);
  void add(const VfsCounts& counts);
  void add(const ReaderCounts& counts);
  std::uint64_t of(const std::string& name) const {
    for (const auto& [known, sum] : sums_) {
      if (known == name) return sum;
    }
    return 0;
  }
  std::string text() const {
    std::string out;
    for (const auto& [name, sum] : sums_) out += fmt::format("{:>12}  {}\n", sum, name);
    return out;
  }
  /// What never happened.
  std::string missing() const {
    std::string out;
    for (const auto& [name, sum] : sums_) out += sum == 0 ? name + "; " : "";
    return out;
  }

 private:
  std::vector<std::pair<std::string, std::uint64_t>> sums_;
};

void Totals::add(const WriterCounts& counts) {
  add("commits", counts.commits);
  add("operations given up for locks", counts.busy);
  add("checkpoints", counts.checkpoints);
  add("vacuums", counts.vacuums);
  add("changes of the page size", counts.page_size_changes);
  add("changes of the journal mode", counts.journal_switches);
  add("deaths of writers", counts.deaths);
}

void Totals::add(const VfsCounts& counts) {
  add("logs started again", counts.wal_restarts);
  add("logs truncated", counts.wal_truncations);
  add("logs deleted", counts.wal_deletions);
  add("hot journals", counts.hot_journals);
  add("torn writes", counts.torn_writes);
}

void Totals::add(const ReaderCounts& counts) {
  add("begins", counts.begins);
  add("begins refused", counts.refused);
  add("snapshots in rollback mode", counts.rollback);
  add("snapshots of file and log", counts.log);
  add("snapshots of a log in the file", counts.log_in_file);
  add("snapshots during commits", counts.commits_during);
  add("snapshots while the file was written", counts.writes_during);
  add("snapshots while the log started again", counts.restarts_during);
  add("snapshots while the log was truncated", counts.truncations_during);
  add("snapshots current at their end", counts.current);
  add("snapshots overtaken", counts.overtaken);
  add("increments told by the log", counts.increments);
  add("increments the log could not tell", counts.increments_unknown);
  add("pages compared", counts.pages);
  add("blocks the file had otherwise", counts.pages_from_log);
  add("images with the lock-byte page", counts.lock_pages);
  add("pages of increments not read", counts.pages_unchanged);
}

std::uint64_t from_environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? 0 : std::strtoull(value, nullptr, 10);
}

void spawn_writers(World& world, std::uint64_t seed) {
  if (seed % 3 != 0) return spawn_writer(world, WriterRole::Alone, kWriterOperations);
  spawn_writer(world, WriterRole::First, kWriterOperations);
  spawn_writer(world, WriterRole::Second, kWriterOperations);
}

/// What is wrong with the database when all have gone; empty when nothing is.
std::string final_problem(World& world) {
  Connection db(World::kDatabase);
  std::int64_t epoch = 0;
  std::string problem = check_image(image_of(db.raw()), epoch);
  const Progress& progress = world.progress();
  if (problem.empty() && (epoch < progress.acknowledged || epoch > progress.attempted)) {
    problem = fmt::format("epoch {} of {}..{}", epoch, progress.acknowledged, progress.attempted);
  }
  return problem.empty() ? "" : "the database itself: " + problem;
}

std::string run_scenario(std::uint64_t seed, Totals& totals, std::set<std::uint64_t>& traces) {
  World world(seed);
  SnapshotReader reader(world, 3);
  reader.spawn();
  spawn_writers(world, seed);
  world.run();
  std::string problems;
  for (const std::string& failure : reader.failures()) problems += failure + "\n";
  for (const std::string& offence : world.vfs().offences()) problems += "reader: " + offence + "\n";
  const std::string last = final_problem(world);
  if (!last.empty()) problems += last + "\n";
  totals.add("interleavings", 1);
  totals.add("calls of the VFS", world.scheduler().points());
  totals.add("switches", world.scheduler().switches());
  totals.add(world.counts());
  totals.add(world.vfs().counts());
  totals.add(reader.counts());
  traces.insert(world.scheduler().trace());
  return problems;
}

TEST(FileLocks, AWriterWaitsForReadersAndLetsNoNewOnesIn) {
  FileLocks locks;
  EXPECT_TRUE(locks.lock(1, SQLITE_LOCK_SHARED));
  EXPECT_TRUE(locks.lock(2, SQLITE_LOCK_SHARED));
  EXPECT_TRUE(locks.lock(2, SQLITE_LOCK_RESERVED));
  EXPECT_FALSE(locks.lock(1, SQLITE_LOCK_RESERVED));
  EXPECT_TRUE(locks.reserved_by_other(1));
  EXPECT_TRUE(locks.lock(3, SQLITE_LOCK_SHARED));
  EXPECT_FALSE(locks.lock(2, SQLITE_LOCK_EXCLUSIVE));
  EXPECT_FALSE(locks.lock(4, SQLITE_LOCK_SHARED));
  locks.unlock(1, SQLITE_LOCK_NONE);
  locks.unlock(3, SQLITE_LOCK_NONE);
  EXPECT_TRUE(locks.lock(2, SQLITE_LOCK_EXCLUSIVE));
  locks.unlock(2, SQLITE_LOCK_SHARED);
  EXPECT_TRUE(locks.lock(4, SQLITE_LOCK_SHARED));
  EXPECT_FALSE(locks.reserved_by_other(4));
}

TEST(SharedMemory, AnExclusiveLockOfSeveralSlotsIsAllOrNothing) {
  SharedMemory memory;
  memory.attach();
  EXPECT_TRUE(memory.lock_shared(1, 4));
  EXPECT_TRUE(memory.lock_shared(2, 4));
  EXPECT_FALSE(memory.lock_exclusive(3, 3, 5));
  EXPECT_TRUE(memory.lock_shared(1, 3));
  memory.unlock(1, 4, 1);
  memory.unlock(2, 4, 1);
  memory.unlock(1, 3, 1);
  EXPECT_TRUE(memory.lock_exclusive(3, 3, 5));
  EXPECT_FALSE(memory.lock_shared(1, 7));
}

TEST(SharedMemory, TheFirstUserAfterACrashFindsItEmpty) {
  SharedMemory memory;
  memory.attach();
  std::byte* const abandoned = memory.region(0, 32768, true);
  *abandoned = std::byte{7};
  memory.detach(1);
  memory.attach();
  EXPECT_EQ(memory.region(0, 32768, false), nullptr);
  EXPECT_EQ(*memory.region(0, 32768, true), std::byte{0});
  *abandoned = std::byte{8};  // The dead connection's mapping is still there for it.
}

/// Several, since ctest runs them side by side.
class SqliteInterleavings : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(SqliteInterleavings, EverySnapshotIsWhatSqliteSeesInTheSameTransaction) {
  const std::uint64_t only = from_environment("PAGEVAULT_SEED");
  const std::uint64_t count =
      only != 0 ? 1 : kSeedsPerShard * (from_environment("PAGEVAULT_LONG") != 0 ? kLongFactor : 1);
  Totals totals;
  std::set<std::uint64_t> traces;
  int failed = 0;
  for (std::uint64_t i = 0; i < count && failed < 5; ++i) {
    const std::uint64_t seed = only != 0 ? only : i * kShards + GetParam() + 1;
    const std::string problems = run_scenario(seed, totals, traces);
    if (problems.empty()) continue;
    ++failed;
    ADD_FAILURE() << "PAGEVAULT_SEED=" << seed << "\n" << problems;
  }
  fmt::print("{}{:>12}  distinct interleavings\n", totals.text(), traces.size());
  if (only != 0 || failed != 0) return;
  // A check that cannot fail is no check: all that a writer may do must have happened.
  EXPECT_EQ(totals.missing(), "");
  EXPECT_EQ(traces.size(), count);
  // Nor may it pass by refusing.
  EXPECT_LT(totals.of("begins refused") * 20, totals.of("begins"));
}

INSTANTIATE_TEST_SUITE_P(Shard, SqliteInterleavings, ::testing::Range(std::uint64_t{0}, kShards));

TEST(SqliteInterleavings, WritersAndDeathsAloneLeaveAWholeDatabase) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    World world(seed);
    spawn_writers(world, seed);
    world.run();
    ASSERT_EQ(final_problem(world), "") << "seed " << seed;
    ASSERT_GT(world.counts().commits + world.counts().deaths, 0U) << "seed " << seed;
  }
}

TEST(SqliteInterleavings, ASeedDecidesTheInterleaving) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Totals totals;
    std::set<std::uint64_t> traces;
    run_scenario(seed, totals, traces);
    run_scenario(seed, totals, traces);
    EXPECT_EQ(traces.size(), 1U) << "seed " << seed;
  }
}

}  // namespace
}  // namespace pagevault::testing
