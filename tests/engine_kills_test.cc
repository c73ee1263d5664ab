// Two thousand kill points: a command dies at a random call, by kill -9 or by power loss; what was
// acknowledged is still there and the next run needs no help (F1.1, F1.2).

#include "fault_scenario.h"

namespace pagevault::testing {
namespace {

/// Ends the process, or the power, after the crash.
void die(SimEnv& env, bool power, std::uint64_t seed) {
  if (power) {
    env.power_loss(seed);
  } else {
    env.process_restart();
  }
}

/// Calls that `operation` makes when nothing stops it.
template <class Operation>
std::uint64_t calls_of(Scenario& scenario, const SimDisk& disk, Operation operation) {
  scenario.env.load(disk);
  const std::uint64_t before = scenario.env.calls();
  operation();
  return scenario.env.calls() - before;
}

/// Kills `operation` at `points` random calls and hands every wreck to `verify(power)`.
template <class Operation, class Verify>
void kill_at_random_calls(Scenario& scenario, std::uint64_t first_seed, unsigned points,
                          Operation operation, Verify verify) {
  const SimDisk disk = scenario.env.save();
  const std::uint64_t calls = calls_of(scenario, disk, operation);
  for (std::uint64_t seed = first_seed; seed < first_seed + points; ++seed) {
    SCOPED_TRACE(fmt::format("seed={} of {} calls", seed, calls));
    std::mt19937_64 random(seed);
    const std::uint64_t point = random() % calls;
    const bool power = seed % 2 == 0;
    scenario.env.load(disk);
    scenario.env.reseed(seed);
    scenario.env.crash_at_call(point);
    operation();
    die(scenario.env, power, seed);
    verify(power);
    if (::testing::Test::HasFailure()) return;
  }
}

class KilledBackup : public ::testing::TestWithParam<std::uint64_t> {};

// covers F1.1, F1.2, I1, I2, I4, I5, I12
TEST_P(KilledBackup, LosesNothingAndTheNextRunNeedsNoHelp) {
  Scenario scenario;
  scenario.prepare();
  const auto old_snapshots = scenario.acknowledged;
  std::optional<SnapshotId> done;
  const auto backup = [&] {
    done.reset();
    if (const auto report = scenario.vault.backup({"/src"})) done = report->snapshot;
  };
  const std::string source = tree_text(scenario.env, "/src");
  kill_at_random_calls(scenario, 1000 * GetParam(), 250, backup, [&](bool) {
    scenario.acknowledged = old_snapshots;
    if (done) scenario.acknowledged[*done] = source;
    scenario.must_have_recovered();
  });
}

INSTANTIATE_TEST_SUITE_P(Seeds, KilledBackup, ::testing::Range<std::uint64_t>(1, 9));

// Sessions pile up, packs of dead runs lie about: still nothing is lost.
TEST(Killed, BackupsOneAfterAnotherLoseNothing) {  // covers F1.1, F1.3, F4.3, I12
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    Scenario scenario;
    scenario.prepare();
    std::mt19937_64 random(seed);
    for (int round = 0; round < 12; ++round) {
      scenario.env.crash_at_call(random() % 1200);
      const auto report = scenario.vault.backup({"/src"});
      die(scenario.env, round % 2 == 0, random());
      if (report) scenario.acknowledged[*report->snapshot] = tree_text(scenario.env, "/src");
    }
    scenario.must_have_recovered();
    if (HasFailure()) return;
  }
}

TEST(Killed, InitCanBeRunAgain) {  // covers I12, F1.1, F1.2
  Scenario scenario;
  scenario.env.write_file("/src/file", text_bytes(10'000, 1));
  bool done = false;
  const auto init = [&] { done = scenario.vault.init().has_value(); };
  kill_at_random_calls(scenario, 1, 400, init, [&](bool) {
    const auto again = scenario.vault.init();
    if (!again) {
      // Complete already, though nobody was told: then it must work as it is.
      EXPECT_EQ(again.error().code(), ErrorCode::AlreadyExists) << again.error().message();
    } else {
      EXPECT_FALSE(done) << "an acknowledged repository was made a second time";
    }
    scenario.must_have_recovered();
  });
}

TEST(Killed, RestoreLeavesOnlyWholeFilesAndRunsAgain) {  // covers F1.1, F1.2, I3, I12
  Scenario scenario;
  scenario.prepare();
  const auto [id, text] = *scenario.acknowledged.begin();
  scenario.env.make_dirs("/old");
  ASSERT_TRUE(scenario.vault.restore(id, "/src", "/old"));
  const auto whole = contents(scenario.env, "/old");
  const auto restore = [&, id = id] {
    scenario.vault.restore(id, "/src", "/out").ignore("killed on purpose");
  };
  kill_at_random_calls(scenario, 1, 400, restore, [&, id = id, text = text](bool power) {
    const auto out = scenario.env.exists("/out") ? contents(scenario.env, "/out")
                                                 : std::map<std::string, Bytes>();
    for (const auto& [path, bytes] : out) {
      const std::string relative = path.substr(std::string_view("/out").size());
      if (power || relative.find(".pv-restore-") != std::string::npos) continue;
      EXPECT_TRUE(bytes == whole.at("/old" + relative)) << path;
    }
    ASSERT_TRUE(scenario.vault.restore(id, "/src", "/out"));
    for (const auto& [path, bytes] : whole) {
      const std::string again = "/out" + path.substr(std::string_view("/old").size());
      EXPECT_TRUE(scenario.env.read_file(again) == bytes) << again;
    }
    scenario.check_finds_no_damage();
  });
}

TEST(Killed, CheckHasChangedNothing) {  // covers I10, F1.1
  Scenario scenario;
  scenario.prepare();
  const auto before = contents(scenario.env, "/repo");
  const auto check = [&] {
    Recorder recorder;
    scenario.vault.check(recorder).ignore("killed on purpose");
  };
  kill_at_random_calls(scenario, 1, 200, check,
                       [&](bool) { EXPECT_TRUE(contents(scenario.env, "/repo") == before); });
  check();
  EXPECT_TRUE(contents(scenario.env, "/repo") == before);
  scenario.must_have_recovered();
}

TEST(Killed, RepairOfTheIndexRunsAgain) {  // covers F1.3, I10
  Scenario scenario;
  scenario.prepare();
  for (const std::string& path : scenario.env.list_files("/repo/index")) {
    scenario.env.remove(path);
  }
  const auto repair = [&] {
    auto workspace = scenario.vault.open();
    if (!workspace) return;
    repo::repair_index((*workspace)->repository(), (*workspace)->index())
        .ignore("killed on purpose");
  };
  kill_at_random_calls(scenario, 1, 200, repair, [&](bool) {
    repair();
    scenario.must_have_recovered();
  });
}

}  // namespace
}  // namespace pagevault::testing
