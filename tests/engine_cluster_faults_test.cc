// Every call of a backup of a PostgreSQL cluster fails, or the process dies there: what was
// acknowledged stays, and a snapshot that appears is whole (F1.1, F1.2, F2.1, F2.2, F5.8).

#include "cluster_vocabulary.h"
#include "fault_scenario.h"
#include "pagevault/pgsupport/incremental_file.h"

namespace pagevault::testing {
namespace {

/// A machine with a snapshot of a cluster, and its next base backup, full or incremental, at /next.
struct ClusterScenario {
  SimEnv env;
  Vault vault{env};
  PlayedCluster cluster;
  std::map<SnapshotId, ClusterFiles> acknowledged;
  ClusterFiles next;  ///< What that one is to become.

  void prepare(bool incremental) {
    ASSERT_TRUE(vault.init());
    ClusterFiles before = {{"base/5/16384", relation(6, 1)},
                           {"base/5/16385", relation(3, 3)},
                           {"global/1260", relation(2, 4)}};
    write_plain(env, "/first", whole_base_backup(cluster, 1, std::nullopt, before));
    const auto first = vault.backup(cluster_request(vault, "/first"), recorder);
    ASSERT_TRUE(first) << first.error().message();
    acknowledged[*first->snapshot] = data_directory(cluster, 1, before);
    const std::map<std::uint32_t, Bytes> images = {{1, relation_page(91, 1)},
                                                   {4, relation_page(92, 4)}};
    ClusterFiles after = before;
    after["base/5/16384"] = segment_after(before["base/5/16384"], 6, images);
    after["global/1260"] = relation(3, 5);
    next = data_directory(cluster, 2, after);
    if (!incremental) {
      write_plain(env, "/next", whole_base_backup(cluster, 2, std::nullopt, after));
      return;
    }
    write_plain(env, "/next",
                whole_base_backup(cluster, 2, 1,
                                  {{"base/5/INCREMENTAL.16384", incremental_file(6, images)},
                                   {"base/5/INCREMENTAL.16385", incremental_file(3, {})},
                                   {"global/1260", after["global/1260"]}}));
  }

  Result<engine::BackupReport> backup() {
    recorder = {};
    return vault.backup(cluster_request(vault, "/next"), recorder);
  }

  /// Nothing acknowledged is lost, every other snapshot is whole, nothing is damaged.
  void must_be_sound() {
    const auto listed = vault.snapshots();
    ASSERT_TRUE(listed) << listed.error().message();
    const std::set<SnapshotId> seen(listed->begin(), listed->end());
    for (const auto& [id, files] : acknowledged) EXPECT_TRUE(seen.contains(id));
    for (const SnapshotId& id : seen) {
      const auto found = data_of(vault, id);
      ASSERT_TRUE(found) << found.error().message();
      const auto known = acknowledged.find(id);
      EXPECT_EQ(differences(*found, known == acknowledged.end() ? next : known->second), "");
    }
    Recorder checked;
    const auto report = vault.check(checked);
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->damage, 0U) << checked.text();
  }

  /// And the next run needs no help (I12).
  void must_have_recovered() {
    must_be_sound();
    const auto report = backup();
    ASSERT_TRUE(report) << report.error().message();
    const auto found = data_of(vault, *report->snapshot);
    ASSERT_TRUE(found) << found.error().message();
    EXPECT_EQ(differences(*found, next), "");
  }

  Recorder recorder;
};

struct FaultCase {
  std::string name;
  bool incremental = false;
  SimFault fault;
};

std::vector<FaultCase> fault_cases() {
  std::vector<FaultCase> out;
  for (const bool incremental : {false, true}) {
    const std::string kind = incremental ? "Incremental" : "Full";
    out.push_back({kind + "Once", incremental, {.code = ErrorCode::Io}});
    out.push_back(
        {kind + "FromThereOn", incremental, {.code = ErrorCode::NoSpace, .permanent = true}});
    out.push_back({kind + "DoneButAnsweredAsFailed",
                   incremental,
                   {.code = ErrorCode::Io, .effect = SimEffect::Done}});
  }
  return out;
}

class EveryCallOfAClusterBackup : public ::testing::TestWithParam<FaultCase> {};

// covers F2.1, F2.2, F2.3, F3.2, I1, I2, I12
TEST_P(EveryCallOfAClusterBackup, FailsAndNothingIsLostOrHalfDone) {
  ClusterScenario scenario;
  scenario.prepare(GetParam().incremental);
  const SimDisk disk = scenario.env.save();
  const auto old_snapshots = scenario.acknowledged;
  const auto repository = contents(scenario.env, "/repo");
  bool fired = true;
  std::uint64_t k = 0;
  for (; fired; ++k) {
    SCOPED_TRACE(fmt::format("k={}", k));
    scenario.env.load(disk);
    scenario.acknowledged = old_snapshots;
    const std::uint64_t before = scenario.env.faults_fired();
    SimFault fault = GetParam().fault;
    fault.call = k;
    scenario.env.fail_call(fault);
    const auto report = scenario.backup();
    fired = scenario.env.faults_fired() > before;
    scenario.env.clear_faults();
    if (report) {
      EXPECT_FALSE(report->incomplete);  // A cluster is whole or no snapshot.
      scenario.acknowledged[*report->snapshot] = scenario.next;
    } else {
      ASSERT_TRUE(fired) << report.error().message();
      EXPECT_FALSE(report.error().message().empty());
      // A failure that left nothing behind has nothing more to prove.
      if (contents(scenario.env, "/repo") == repository) continue;
    }
    scenario.must_have_recovered();
    if (HasFailure()) return;
  }
  EXPECT_GT(k, 50U);
  RecordProperty("calls", std::to_string(k - 1));
}

INSTANTIATE_TEST_SUITE_P(Faults, EveryCallOfAClusterBackup, ::testing::ValuesIn(fault_cases()),
                         [](const auto& i) { return i.param.name; });

class KilledClusterBackup
    : public ::testing::TestWithParam<std::tuple<bool, std::uint64_t /*seed*/>> {};

// covers F1.1, F1.2, I1, I2, I4, I5, I12
TEST_P(KilledClusterBackup, LosesNothingAndTheNextRunNeedsNoHelp) {
  const auto [incremental, first_seed] = GetParam();
  ClusterScenario scenario;
  scenario.prepare(incremental);
  const SimDisk disk = scenario.env.save();
  const auto old_snapshots = scenario.acknowledged;
  const std::uint64_t calls_before = scenario.env.calls();
  ASSERT_TRUE(scenario.backup());
  const std::uint64_t calls = scenario.env.calls() - calls_before;
  for (std::uint64_t seed = first_seed * 1000; seed < first_seed * 1000 + 100; ++seed) {
    SCOPED_TRACE(fmt::format("seed={} of {} calls", seed, calls));
    std::mt19937_64 random(seed);
    scenario.env.load(disk);
    scenario.env.reseed(seed);
    scenario.acknowledged = old_snapshots;
    scenario.env.crash_at_call(random() % calls);
    const auto report = scenario.backup();
    if (seed % 2 == 0) {
      scenario.env.power_loss(seed);
    } else {
      scenario.env.process_restart();
    }
    if (report) scenario.acknowledged[*report->snapshot] = scenario.next;
    scenario.must_have_recovered();
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, KilledClusterBackup,
                         ::testing::Combine(::testing::Bool(),
                                            ::testing::Range<std::uint64_t>(1, 4)),
                         [](const auto& i) {
                           return fmt::format("{}{}", std::get<0>(i.param) ? "Incremental" : "Full",
                                              std::get<1>(i.param));
                         });

// Packs of the parent that are gone or cannot be read: an incremental ends with a word of what to
// do, and makes nothing of what it did not have; a full one stores everything again.
class LostPack : public ::testing::TestWithParam<bool> {};

TEST_P(LostPack, OfTheParentNeverBecomesASnapshotThatCannotBeRestored) {  // covers F5.8, I2, I6
  ClusterScenario scenario;
  scenario.prepare(GetParam());
  const SimDisk disk = scenario.env.save();
  const auto packs = scenario.env.list_files("/repo/packs");
  ASSERT_FALSE(packs.empty());
  std::size_t refusals = 0;
  for (const std::string& pack : packs) {
    for (const bool gone : {true, false}) {
      SCOPED_TRACE(fmt::format("{} gone={}", pack, gone));
      scenario.env.load(disk);
      if (gone) {
        scenario.env.remove(pack);
      } else {
        scenario.env.set_unreadable(pack, {0, scenario.env.file_size(pack)});
      }
      const auto report = scenario.backup();
      if (!report) {
        ++refusals;
        EXPECT_TRUE(GetParam()) << report.error().message();
        EXPECT_NE(report.error().message().find("take a full backup"), std::string::npos)
            << report.error().message();
        EXPECT_EQ(scenario.vault.snapshots()->size(), 1U);
        continue;
      }
      if (!gone) scenario.env.set_unreadable(pack, {0, 0});
      const auto found = data_of(scenario.vault, *report->snapshot);
      ASSERT_TRUE(found) << found.error().message();
      EXPECT_EQ(differences(*found, scenario.next), "");
    }
  }
  EXPECT_EQ(refusals > 0, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Kinds, LostPack, ::testing::Bool(),
                         [](const auto& i) { return i.param ? "Incremental" : "Full"; });

// Each byte of the parent's packs in turn cannot be read while the incremental is applied.
TEST(UnreadableParent, NeverBecomesASnapshotThatIsWrong) {  // covers F2.2, I2
  ClusterScenario scenario;
  scenario.prepare(true);
  const SimDisk disk = scenario.env.save();
  for (const std::string& pack : scenario.env.list_files("/repo/packs")) {
    const std::uint64_t size = scenario.env.file_size(pack);
    for (std::uint64_t at = 0; at < size; at += std::max<std::uint64_t>(1, size / 60)) {
      SCOPED_TRACE(fmt::format("{} at {}", pack, at));
      scenario.env.load(disk);
      scenario.env.set_unreadable(pack, {at, 1});
      const auto report = scenario.backup();
      scenario.env.set_unreadable(pack, {0, 0});
      if (report) scenario.acknowledged[*report->snapshot] = scenario.next;
      scenario.must_be_sound();
      if (report) scenario.acknowledged.erase(*report->snapshot);
      if (::testing::Test::HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace pagevault::testing
