// Storage that is full, read-only, gone, or lies about what it has made durable.

#include "fault_scenario.h"

namespace pagevault::testing {
namespace {

std::uint64_t bytes_used(const SimEnv& env) {
  std::uint64_t sum = 0;
  for (const std::string& path : env.list_files("/")) sum += env.file_size(path);
  return sum;
}

TEST(FullDisk, StopsABackupWithANamedErrorAndNothingElse) {  // covers F2.1, I1, I2
  Scenario scenario;
  scenario.prepare();
  const SimDisk disk = scenario.env.save();
  const std::uint64_t used = bytes_used(scenario.env);
  unsigned failed = 0;
  for (std::uint64_t room = 0; room <= 200'000; room += 2'000) {
    SCOPED_TRACE(room);
    scenario.env.load(disk);
    scenario.env.set_capacity(used + room);
    const auto report = scenario.vault.backup({"/src"});
    if (!report) {
      ++failed;
      EXPECT_EQ(report.error().code(), ErrorCode::NoSpace) << report.error().message();
      EXPECT_TRUE(report.error().message().starts_with("/repo/") ||
                  report.error().message().find("packs/") != std::string::npos)
          << report.error().message();
    }
    // A full repository can still be read.
    for (const auto& [id, text] : scenario.acknowledged) {
      auto workspace = scenario.vault.open();
      ASSERT_TRUE(workspace) << workspace.error().message();
      ASSERT_TRUE(engine::dump_file(**workspace, id, "/src/a.db", [](ByteView) { return ok(); }));
    }
    scenario.check_finds_no_damage();
    scenario.env.set_capacity(UINT64_MAX);
    scenario.must_have_recovered();
    if (HasFailure()) return;
  }
  EXPECT_GT(failed, 5U);
  EXPECT_LT(failed, 100U);
}

TEST(FullDisk, StopsARestoreAndLeavesNoWrongFile) {  // covers F2.1, I3
  Scenario scenario;
  scenario.prepare();
  const auto [id, text] = *scenario.acknowledged.begin();
  const std::uint64_t used = bytes_used(scenario.env);
  scenario.env.set_capacity(used + 100'000);
  const auto report = scenario.vault.restore(id, "/src", "/out");
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::NoSpace) << report.error().message();
  EXPECT_NE(report.error().message().find("/src/"), std::string::npos) << report.error().message();
  scenario.env.set_capacity(UINT64_MAX);
  ASSERT_TRUE(scenario.vault.restore(id, "/src", "/out"));
  EXPECT_EQ(tree_text(scenario.env, "/out"), text);
}

TEST(ReadOnlyStore, RefusesBackupsByNameAndReadsEverything) {  // covers F2.5
  Scenario scenario;
  scenario.prepare();
  const auto before = contents(scenario.env, "/repo");
  scenario.env.set_read_only(true);
  const auto report = scenario.vault.backup({"/src"});
  ASSERT_FALSE(report);
  EXPECT_NE(report.error().message().find("read-only"), std::string::npos);
  EXPECT_NE(report.error().message().find("sessions/"), std::string::npos)
      << report.error().message();
  scenario.check_finds_no_damage();
  EXPECT_FALSE(Vault(scenario.env, "/other").init());
  scenario.env.set_read_only(false);
  EXPECT_TRUE(contents(scenario.env, "/repo") == before);
  scenario.must_have_recovered();
}

TEST(Init, RefusesPackLengthsThatNoReaderAccepts) {  // covers F6.3
  SimEnv env;
  for (const std::uint32_t bytes : {0U, 64U * 1024, 16U * 1024 * 1024 - 1, 65U * 1024 * 1024}) {
    const Status status = Vault(env).init(bytes);
    ASSERT_FALSE(status) << bytes;
    EXPECT_EQ(status.error().code(), ErrorCode::InvalidArgument);
    EXPECT_FALSE(env.exists("/repo"));
  }
  ASSERT_TRUE(Vault(env).init(16 * 1024 * 1024));
  EXPECT_TRUE(Vault(env).open());
}

TEST(VanishedMount, IsNotARepositoryAndNeverBecomesOne) {  // covers F2.5
  Scenario scenario;
  scenario.prepare();
  scenario.env.make_dirs("/mount");
  Vault vault(scenario.env, "/mount");
  Recorder recorder;
  const auto backup = vault.backup({"/src"});
  const auto check = vault.check(recorder);
  const auto restore = vault.restore(scenario.acknowledged.begin()->first, "/src", "/out");
  ASSERT_FALSE(backup);
  ASSERT_FALSE(check);
  ASSERT_FALSE(restore);
  for (const Error& error : {backup.error(), check.error(), restore.error()}) {
    EXPECT_EQ(error.code(), ErrorCode::NotFound);
    EXPECT_NE(error.message().find("/mount"), std::string::npos) << error.message();
  }
  EXPECT_TRUE(scenario.env.list_files("/mount").empty());
  auto root = scenario.env.open_dir("/mount");
  ASSERT_TRUE(root);
  EXPECT_TRUE((*root)->list()->empty());
}

TEST(VanishedMount, UnderARunningBackupMakesNoSnapshot) {  // covers F2.5, I2
  Scenario scenario;
  scenario.prepare();
  const SimDisk disk = scenario.env.save();
  for (std::uint64_t at = 10; at < 1200; at += 40) {
    SCOPED_TRACE(at);
    scenario.env.load(disk);
    std::uint64_t calls = 0;
    scenario.env.on_call([&](const SimCall&) {
      if (++calls != at) return;
      scenario.env.remove("/repo");
      scenario.env.make_dirs("/repo");
    });
    const auto report = scenario.vault.backup({"/src"});
    scenario.env.on_call({});
    if (calls < at) break;
    EXPECT_FALSE(report);
    EXPECT_TRUE(scenario.env.list_files("/repo").empty());
  }
}

/// Removes the packs that are there and that `check` called damaged; whether there were any.
bool put_torn_packs_aside(SimEnv& env, const Recorder& check) {
  bool any = false;
  for (const auto& finding : check.findings) {
    const std::string path = "/repo/" + finding.object;
    if (!finding.object.starts_with("packs/") || !env.exists(path)) continue;
    env.remove(path);
    any = true;
  }
  return any;
}

// The storage acknowledged syncs and forgot them: packs, index objects or both of the last run are
// gone, its snapshot may be there.
TEST(LyingSyncs, AreNoticedAndWhatTheSourceHasIsStoredAgain) {  // covers F2.4, F5.4, I6
  unsigned noticed = 0;
  unsigned snapshots_hurt = 0;
  unsigned torn = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    Scenario scenario;
    scenario.prepare();
    const auto honest = scenario.acknowledged;
    scenario.env.set_sync_lies(true);
    scenario.must_backup();
    scenario.env.set_sync_lies(false);
    scenario.env.power_loss(seed);
    const std::string source = tree_text(scenario.env, "/src");

    Recorder before;
    const auto damaged = scenario.vault.check(before);
    ASSERT_TRUE(damaged) << damaged.error().message();
    if (damaged->damage > 0) ++noticed;
    // Each snapshot that does not restore is named by the check; the honest ones restore.
    const auto listed = scenario.vault.snapshots();
    ASSERT_TRUE(listed);
    for (const auto& [id, text] : honest) EXPECT_TRUE(scenario.restores(id, text));
    for (const SnapshotId& id : *listed) {
      if (honest.contains(id) || scenario.restores(id, source)) continue;
      ++snapshots_hurt;
      const bool named = std::any_of(before.findings.begin(), before.findings.end(),
                                     [&](const auto& f) { return f.snapshot == id.hex(8); });
      EXPECT_TRUE(named) << before.text();
    }
    Recorder recorder;
    const auto next = scenario.vault.backup(scenario.vault.request({"/src"}), recorder);
    ASSERT_TRUE(next) << next.error().message();
    EXPECT_FALSE(next->incomplete) << recorder.text();
    if (!scenario.restores(*next->snapshot, source)) {
      // Presence is a name and a length. A pack that kept both and lost content is found by reading
      // it; once it is put aside, the next run stores again what it held.
      ++torn;
      ASSERT_TRUE(put_torn_packs_aside(scenario.env, before));
      const auto healed = scenario.vault.backup({"/src"});
      ASSERT_TRUE(healed) << healed.error().message();
      EXPECT_TRUE(scenario.restores(*healed->snapshot, source));
    }
    if (HasFailure()) return;
  }
  EXPECT_LT(torn, 30U);
  EXPECT_GT(noticed, 50U);
  EXPECT_GT(snapshots_hurt, 4U);
}

}  // namespace
}  // namespace pagevault::testing
