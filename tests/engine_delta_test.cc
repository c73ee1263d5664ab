// Chunks stored as deltas of what the parent had in their place: sizes, depth, and what happens
// when a base is lost or damaged. docs/adr/0010-deltas.md.

#include "fault_scenario.h"
#include "pagevault/repo/blob.h"
#include "pagevault/repo/delta_policy.h"

namespace pagevault::testing {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kPages = 400;

/// A repository, and a database of 1.6 MB of which single rows change.
class EngineDelta : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(vault.init());
    env.write_file("/src/a.db", fake_database(kPages, kPage, 1));
    env.advance_time(10'000'000'000);
  }

  /// Overwrites `bytes` bytes in the middle of every `every`-th page.
  void change_rows(std::uint64_t step, std::size_t every, std::size_t bytes) {
    Bytes database = *env.read_file("/src/a.db");
    for (std::size_t page = 1; page < database.size() / kPage; page += every) {
      const Bytes fresh = random_bytes(bytes, 1000 * step + page);
      std::copy(fresh.begin(), fresh.end(),
                database.begin() + static_cast<std::ptrdiff_t>(page * kPage + 500));
    }
    env.write_file("/src/a.db", database);
    env.advance_time(10'000'000'000);
  }

  engine::BackupReport backup(repo::DeltaMode mode = repo::DeltaMode::Auto) {
    engine::BackupRequest request = vault.request({"/src"});
    request.delta = mode;
    recorder = {};
    const auto report = vault.backup(request, recorder);
    EXPECT_TRUE(report) << report.error().message();
    if (!report) return {};
    texts[*report->snapshot] = tree_text(env, "/src");
    return *report;
  }

  void expect_all_restore() {
    for (const auto& [id, text] : texts) {
      const auto report = vault.restore(id, "/src", "/out");
      ASSERT_TRUE(report) << report.error().message();
      EXPECT_EQ(report->damaged + report->failed, 0U);
      EXPECT_EQ(tree_text(env, "/out"), text);
      env.remove("/out");
    }
  }

  std::vector<repo::BlobLocation> blobs() {
    std::vector<repo::BlobLocation> out;
    const auto workspace = std::move(vault.open().value());
    EXPECT_TRUE(workspace->index().for_each_blob(
        [&](const repo::BlobLocation& place) { out.push_back(place); }));
    return out;
  }

  std::string pack_path(const PackId& id) const {
    return "/repo/" + repo::object_path({repo::ObjectType::Pack, id.hex()});
  }

  std::string last_database_pack() {
    for (const repo::BlobLocation& place : blobs()) {
      if (place.entry.type == repo::BlobType::Data) return pack_path(place.pack.id);
    }
    return {};
  }

  SimEnv env;
  Vault vault{env};
  Recorder recorder;
  std::map<SnapshotId, std::string> texts;
};

TEST_F(EngineDelta, AChangedRowCostsItsBytesAndNotItsChunk) {
  const auto first = backup();
  EXPECT_EQ(first.deltas, 0U);
  change_rows(1, 40, 100);  // 10 of 400 pages, 1,000 bytes that do not compress.
  const auto second = backup();
  EXPECT_GE(second.deltas + 1, second.chunks_new) << "all, but maybe the folder of a few bytes";
  EXPECT_GE(second.deltas, 8U);
  EXPECT_LT(second.stats.bytes_stored_data, 2'000U);
  EXPECT_GT(second.stats.bytes_new, 500'000U);
  expect_all_restore();
  EXPECT_TRUE(vault.check(recorder));
  EXPECT_EQ(recorder.damage(), 0U) << recorder.text();
}

TEST_F(EngineDelta, TheMapCostsWhatChangedInIt) {
  backup();
  change_rows(1, 400, 100);  // One page.
  const auto second = backup();
  EXPECT_LT(second.stats.bytes_stored_meta, 1'500U) << "a node of 27 extents has 1,500 bytes";
}

TEST_F(EngineDelta, NoDeltaIsMadeOfADeltaInAHundredSteps) {  // depth 1
  backup();
  for (std::uint64_t step = 1; step <= 100; ++step) {
    change_rows(step, 7 + step % 5, 60);
    const auto report = backup();
    if (step % 20 != 0) texts.erase(*report.snapshot);  // Restoring all would take a while.
  }
  std::map<ChunkId, bool> is_delta;
  const auto all = blobs();
  for (const auto& place : all) {
    is_delta[place.entry.id] = place.entry.encoding == repo::Encoding::ZstdDelta;
  }
  std::size_t deltas = 0;
  for (const auto& place : all) {
    if (place.entry.encoding != repo::Encoding::ZstdDelta) continue;
    ++deltas;
    ASSERT_TRUE(is_delta.contains(place.entry.base)) << "a base that is in no index";
    EXPECT_FALSE(is_delta[place.entry.base]);
  }
  EXPECT_GT(deltas, 500U);
  expect_all_restore();
}

TEST_F(EngineDelta, AChunkThatChangedALotIsStoredPlainAndIsTheNextBase) {
  backup();
  change_rows(1, 1, 3000);  // Three quarters of every page.
  const auto second = backup();
  EXPECT_LT(second.deltas, 3U) << "of " << second.chunks_new;
  change_rows(2, 40, 100);
  const auto third = backup();
  EXPECT_LT(third.stats.bytes_stored_data, 2'000U);
  expect_all_restore();
}

TEST_F(EngineDelta, NeverMeansNoBaseIsRead) {
  backup();
  change_rows(1, 40, 100);
  EXPECT_EQ(backup(repo::DeltaMode::Never).deltas, 0U);
  expect_all_restore();
}

TEST_F(EngineDelta, TwoFilesMayChangeAndAFileMayGrowShrinkAndMove) {
  env.write_file("/src/log", text_bytes(300'000, 5));
  backup();
  Bytes log = *env.read_file("/src/log");
  log.insert(log.begin() + 100'000, 64, std::byte{'x'});  // What follows shifts.
  env.write_file("/src/log", log);
  change_rows(1, 50, 30);
  EXPECT_GT(backup().deltas, 5U);
  env.write_file("/src/log", ByteView(log).first(150'000));
  Bytes database = *env.read_file("/src/a.db");
  const Bytes more = fake_database(60, kPage, 9);
  database.insert(database.end(), more.begin(), more.end());
  env.write_file("/src/a.db", database);
  env.advance_time(10'000'000'000);
  backup();
  expect_all_restore();
}

// covers F5.4
TEST_F(EngineDelta, WhatIsADeltaOfALostChunkIsStoredAgain) {
  backup();
  const std::string pack = last_database_pack();
  change_rows(1, 40, 100);
  backup();
  env.remove(pack);
  texts.clear();  // Both are damaged now.
  const auto again = backup();
  EXPECT_EQ(again.deltas, 0U) << "nothing may build on what is lost";
  EXPECT_GT(again.chunks_new, 20U);
  change_rows(2, 40, 100);
  EXPECT_GT(backup().deltas, 5U);
  expect_all_restore();
}

// What older deltas are made of comes back as a plain chunk, or they would be deltas of deltas.
TEST_F(EngineDelta, ALostBaseThatComesBackIsStoredPlain) {  // covers F5.4
  const Bytes original = *env.read_file("/src/a.db");
  backup();
  const std::string pack = last_database_pack();
  change_rows(1, 40, 100);
  const auto second = *backup().snapshot;
  const std::string second_text = texts[second];
  env.remove(pack);
  texts.clear();
  backup();  // The changed state, plain again.
  env.write_file("/src/a.db", original);
  env.advance_time(10'000'000'000);
  backup();
  texts[second] = second_text;
  expect_all_restore();
  EXPECT_TRUE(vault.check(recorder, /*read_data=*/false));
}

// covers F5.1, S19
TEST_F(EngineDelta, ADamagedBaseIsNotBuiltOnAndTheUserHearsOfIt) {
  backup();
  const std::string pack = last_database_pack();
  for (std::uint64_t at = 2000; at + 2000 < env.file_size(pack); at += 5000) {
    env.flip_bit(pack, at * 8);
  }
  texts.clear();
  change_rows(1, 1, 10);  // Every chunk.
  const auto report = backup();
  EXPECT_LT(report.deltas, report.chunks_new / 2);
  EXPECT_NE(recorder.text().find("could not be read to build on"), std::string::npos)
      << recorder.text();
  expect_all_restore();
}

// covers F5.1, F5.2
TEST_F(EngineDelta, ACheckNamesTheFilesThatADamagedBaseHits) {
  backup();
  const std::string pack = last_database_pack();
  change_rows(1, 1, 10);
  const SnapshotId second = *backup().snapshot;
  env.flip_bit(pack, 8 * 3000);
  recorder = {};
  const auto report = vault.check(recorder);
  ASSERT_TRUE(report);
  EXPECT_GE(report->damage, 3U);
  const std::string text = recorder.text();
  EXPECT_NE(text.find("deltas of what cannot be read"), std::string::npos) << text;
  const auto hits_second = [&](const engine::CheckFinding& finding) {
    return finding.snapshot == second.hex(8) && finding.path == "/src/a.db" && finding.length > 0;
  };
  EXPECT_TRUE(std::any_of(recorder.findings.begin(), recorder.findings.end(), hits_second)) << text;
}

// covers F5.4
TEST_F(EngineDelta, ACheckWithoutDataSeesThatABaseIsMissing) {
  backup();
  const std::string pack = last_database_pack();
  change_rows(1, 1, 10);
  const SnapshotId second = *backup().snapshot;
  env.remove(pack);
  recorder = {};
  ASSERT_TRUE(vault.check(recorder, /*read_data=*/false));
  const auto hits_second = [&](const engine::CheckFinding& finding) {
    return finding.snapshot == second.hex(8) &&
           finding.problem.find("is a delta") != std::string::npos;
  };
  EXPECT_TRUE(std::any_of(recorder.findings.begin(), recorder.findings.end(), hits_second))
      << recorder.text();
}

repo::BlobEntry base_of(repo::BlobType type, std::uint32_t stored_bytes) {
  repo::BlobEntry entry;
  entry.type = type;
  entry.stored_bytes = stored_bytes;
  return entry;
}

TEST(DeltaPolicy, ADeltaMayTakeAThirdOfItsBaseOrALittleWhereTheBaseIsNearlyEmpty) {
  EXPECT_EQ(repo::delta_bytes_max(base_of(repo::BlobType::Data, 30'000), 65'536), 10'000U);
  EXPECT_EQ(repo::delta_bytes_max(base_of(repo::BlobType::Data, 100), 65'536), 2'048U);
  EXPECT_EQ(repo::delta_bytes_max(base_of(repo::BlobType::Metadata, 60'000), 60'000), 40'000U);
  EXPECT_EQ(repo::delta_bytes_max(base_of(repo::BlobType::Data, 60'000), 320), 310U)
      << "a short chunk after a long one";
  EXPECT_EQ(repo::delta_bytes_max(base_of(repo::BlobType::Data, 60'000), 1), 0U);
}

TEST(DeltaPolicy, AutoStopsReadingBasesThatCostMoreTimeThanTheySaveBytes) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  repo::DeltaPolicy policy(repo::DeltaMode::Auto);
  EXPECT_TRUE(policy.reads_bases());
  policy.add_reading(20 * kSecond);
  policy.add_saving(30 * static_cast<std::int64_t>(kMiB));
  EXPECT_TRUE(policy.reads_bases());
  policy.add_reading(20 * kSecond);
  EXPECT_FALSE(policy.reads_bases());
}

TEST(DeltaTrial, ARowOfFailuresLeavesEverySixteenthAttemptAndASuccessBringsAllBack) {
  repo::DeltaTrial trial;
  for (int i = 0; i < 31; ++i) trial.add(65'536, std::nullopt);
  EXPECT_TRUE(trial.wants_attempt());
  trial.add(65'536, std::nullopt);
  int attempts = 0;
  for (int i = 0; i < 160; ++i) attempts += trial.wants_attempt() ? 1 : 0;
  EXPECT_EQ(attempts, 10);
  trial.add(65'536, 500);
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(trial.wants_attempt());
}

TEST(DeltaTrial, LongDeltasSayThatPagesMovedAndAreStillMade) {
  repo::DeltaTrial trial;
  EXPECT_TRUE(trial.changes_in_place());
  for (int i = 0; i < 40; ++i) trial.add(65'536, 12'000);
  EXPECT_FALSE(trial.changes_in_place());
  EXPECT_TRUE(trial.wants_attempt());
  trial.add(65'536, 700);
  EXPECT_TRUE(trial.changes_in_place());
}

// What VACUUM does to a file: the same pages, elsewhere.
TEST_F(EngineDelta, PagesThatMovedAreFoundByContentAgain) {
  env.write_file("/src/a.db", fake_database(4000, kPage, 1));
  env.advance_time(10'000'000'000);
  backup();
  const Bytes before = *env.read_file("/src/a.db");
  Bytes after(before.begin(), before.begin() + kPage);  // The header stays.
  after.insert(after.end(), before.begin() + 23 * kPage, before.end());
  env.write_file("/src/a.db", after);
  env.advance_time(10'000'000'000);
  const auto second = backup();
  EXPECT_LT(second.stats.bytes_new, after.size() / 2) << "16 MB, of which nothing is new";
  expect_all_restore();
}

TEST(DeltaPolicy, AlwaysReadsAndNeverDoesNot) {
  repo::DeltaPolicy always(repo::DeltaMode::Always);
  always.add_reading(3'600'000'000'000);
  EXPECT_TRUE(always.reads_bases());
  EXPECT_FALSE(repo::DeltaPolicy(repo::DeltaMode::Never).reads_bases());
  EXPECT_FALSE(repo::delta_mode_from_name("sometimes"));
  EXPECT_EQ(repo::delta_mode_from_name("auto").value(), repo::DeltaMode::Auto);
}

}  // namespace

}  // namespace pagevault::testing
