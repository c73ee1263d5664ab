// What is backed up restores: trees of every kind, and changes from one snapshot to the next.

#include "engine_fixture.h"

namespace pagevault::testing {
namespace {

/// A source with every kind of entry (F8.3).
void make_source(SimEnv& env) {
  env.write_file("/src/a.db", fake_database(600, 4096, 1));
  env.write_file("/src/b.txt", text_bytes(300'000, 2));
  env.write_file("/src/empty", "");
  env.write_file("/src/deep/er/random", random_bytes(500'000, 3));
  env.write_file("/src/odd \n\x01\xff name", "odd");
  env.make_dirs("/src/hollow");
  auto dir = std::move(env.open_dir("/src").value());
  ASSERT_TRUE(dir->make_symlink("link", "../elsewhere"));
  ASSERT_TRUE(dir->make_hard_link(*dir, "b.txt", "hard"));
  FileInfo fifo;
  fifo.type = FileType::Fifo;
  fifo.mode = 0640;
  ASSERT_TRUE(dir->make_node("pipe", fifo));
  ASSERT_TRUE(dir->set_xattr("a.db", {"user.note", "keep me"}));
  ASSERT_TRUE(dir->set_metadata(
      "a.db", {.mode = 0640, .uid = 33, .gid = 44, .mtime_ns = 1'600'000'000'123'456'789}));
  // Sparse: data, a hole of 300 KiB, data.
  auto file = std::move(dir->open_file("sparse", OpenMode::CreateExclusive).value());
  ASSERT_TRUE(file->write_at(0, text_bytes(100'000, 4)));
  ASSERT_TRUE(file->write_at(400 * 1024, text_bytes(50'000, 5)));
  ASSERT_TRUE(file->truncate(1 << 20));
  ASSERT_TRUE(file->close());
  env.advance_time(10'000'000'000);
}

TEST(Backup, RestoresEveryKindOfEntryAsItWas) {  // covers F8.3, I1
  SimEnv env;
  make_source(env);
  const std::string before = tree_text(env, "/src");
  Vault vault(env);
  ASSERT_TRUE(vault.init());
  Recorder recorder;
  const auto report = vault.backup(vault.request({"/src"}), recorder);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(recorder.text(), "");
  const auto restored = vault.restore(*report->snapshot, "/src", "/out");
  ASSERT_TRUE(restored) << restored.error().message();
  EXPECT_EQ(restored->damaged + restored->failed, 0U);
  EXPECT_EQ(tree_text(env, "/out"), before);
  const auto checked = vault.check(recorder);
  ASSERT_TRUE(checked) << checked.error().message();
  EXPECT_EQ(recorder.text(), "");
}

TEST(Backup, PutsAbsolutePathsBelowTheTarget) {
  SimEnv env;
  env.write_file("/one/two/file", "content");
  env.write_file("/other", "x");
  Vault vault(env);
  ASSERT_TRUE(vault.init());
  const auto report = vault.backup({"/one/two", "/other"});
  ASSERT_TRUE(report);
  ASSERT_TRUE(vault.restore(*report->snapshot, "", "/out"));
  EXPECT_EQ(env.read_file("/out/one/two/file"), to_bytes(as_bytes("content")));
  EXPECT_EQ(env.read_file("/out/other"), to_bytes(as_bytes("x")));
  EXPECT_FALSE(env.exists("/out/repo"));
}

TEST(Backup, StoresNothingForUnchangedFilesWhetherItReadsThemOrNot) {
  SimEnv env;
  make_source(env);
  Vault vault(env);
  ASSERT_TRUE(vault.init());
  ASSERT_TRUE(vault.backup({"/src"}));
  env.advance_time(10'000'000'000);
  ASSERT_TRUE(vault.backup({"/src"}));  // Clears "racy" marks.
  for (const bool force : {false, true}) {
    auto request = vault.request({"/src"});
    request.force = force;
    Recorder recorder;
    const auto again = vault.backup(request, recorder);
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(again->stats.bytes_stored_data, 0U) << "force=" << force;
    EXPECT_EQ(again->stats.bytes_stored_meta, 0U) << "force=" << force;
    EXPECT_EQ(again->stats.files_unmodified, again->stats.files);
    EXPECT_EQ(recorder.text(), "");
  }
}

TEST(Backup, TrustsTimesOnceTheirStepHasPassed) {
  for (const bool coarse : {false, true}) {
    SimEnv env;
    env.advance_time(coarse ? 0 : 123'456);  // The first write is at a full second only if coarse.
    env.write_file("/src/file", text_bytes(50'000, 1));
    env.advance_time(500'000'000);
    Vault vault(env);
    ASSERT_TRUE(vault.init());
    ASSERT_TRUE(vault.backup({"/src"}));
    const auto again = vault.backup({"/src"});
    ASSERT_TRUE(again);
    EXPECT_EQ(again->stats.bytes_read, coarse ? 50'000U : 0U);
  }
}

TEST(Backup, StoresTheChunksOfChangedPagesOnly) {
  SimEnv env;
  Bytes content = fake_database(4096, 4096, 1);
  env.write_file("/src/a.db", content);
  env.advance_time(10'000'000'000);
  Vault vault(env);
  ASSERT_TRUE(vault.init());
  ASSERT_TRUE(vault.backup({"/src"}));
  for (int i = 0; i < 10; ++i)
    content[static_cast<std::size_t>(i) * 1'600'000 + 77] ^= std::byte{1};
  env.write_file("/src/a.db", content);
  const auto report = vault.backup({"/src"});
  ASSERT_TRUE(report);
  EXPECT_LE(report->stats.bytes_new, 10 * 128 * kKiB + 64 * kKiB);
  ASSERT_TRUE(vault.restore(*report->snapshot, "/src", "/out"));
  EXPECT_TRUE(env.read_file("/out/a.db") == content);
}

TEST(Backup, EverySnapshotOfAChangingFileRestores) {
  SimEnv env;
  Vault vault(env);
  ASSERT_TRUE(vault.init());
  std::mt19937_64 random(11);
  Bytes content = fake_database(700, 4096, 1);
  std::vector<std::pair<SnapshotId, Bytes>> taken;
  for (int step = 0; step < 12; ++step) {
    env.write_file("/src/a.db", content);
    env.advance_time(5'000'000'000);
    const auto report = vault.backup({"/src"});
    ASSERT_TRUE(report) << report.error().message();
    taken.emplace_back(*report->snapshot, content);
    const std::size_t pages = content.size() / 4096;
    for (int i = 0; i < 5; ++i) {
      const Bytes page = text_bytes(4096, random());
      std::copy(page.begin(), page.end(),
                content.begin() + static_cast<std::ptrdiff_t>((1 + random() % (pages - 1)) * 4096));
    }
    if (step % 3 == 0) append(content, text_bytes(4096 * (1 + random() % 40), random()));
    if (step % 4 == 1) content.resize(content.size() - 4096 * (1 + random() % 60));
    if (step % 5 == 2) std::fill_n(content.begin() + 40 * 4096, 64 * 4096, std::byte{0});
  }
  for (std::size_t i = 0; i < taken.size(); ++i) {
    const std::string out = fmt::format("/out{}", i);
    ASSERT_TRUE(vault.restore(taken[i].first, "/src", out));
    EXPECT_TRUE(env.read_file(out + "/a.db") == taken[i].second) << "step " << i;
  }
  Recorder recorder;
  ASSERT_TRUE(vault.check(recorder));
  EXPECT_EQ(recorder.text(), "");
}

TEST(Backup, ReportsUnreadableAndChangingSourcesAndSavesTheRest) {  // covers F8.1, F8.2
  SimEnv env;
  env.write_file("/src/good", "good");
  env.write_file("/src/secret", "secret");
  env.write_file("/src/growing", text_bytes(3'000'000, 1));
  env.make_dirs("/src/closed");
  env.set_denied("/src/secret", true);
  env.set_denied("/src/closed", true);
  Vault vault(env);
  ASSERT_TRUE(vault.init());
  bool grown = false;
  env.on_call([&](const SimCall& call) {
    if (grown || call.operation != "read" || call.path != "/src/growing") return;
    grown = true;
    env.append_file("/src/growing", text_bytes(10, 2));
  });
  Recorder recorder;
  const auto report = vault.backup(vault.request({"/src", "/absent"}), recorder);
  env.on_call({});
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_TRUE(report->incomplete);
  EXPECT_TRUE(grown);
  EXPECT_EQ(recorder.source_errors.size(), 4U) << recorder.text();
  ASSERT_TRUE(vault.restore(*report->snapshot, "/src", "/out"));
  EXPECT_EQ(env.read_file("/out/good"), to_bytes(as_bytes("good")));
  EXPECT_TRUE(env.exists("/out/closed"));
  EXPECT_TRUE(env.exists("/out/growing"));
}

TEST(Backup, FailsWithoutASnapshotWhenNoPathExists) {
  SimEnv env;
  Vault vault(env);
  ASSERT_TRUE(vault.init());
  const auto report = vault.backup({"/absent"});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::NotFound);
  EXPECT_EQ(vault.snapshots()->size(), 0U);
}

constexpr std::int64_t kHourNs = 3600LL * 1'000'000'000;

TEST(Backup, FindsAChangeThatTimesAndGateHide) {  // covers S10
  SimEnv env;
  env.write_file("/src/a.db", fake_database(300, 4096, 1));
  env.advance_time(10'000'000'000);
  Vault vault(env);
  ASSERT_TRUE(vault.init());
  ASSERT_TRUE(vault.backup({"/src"}));
  env.flip_bit("/src/a.db", 8 * 500'000);  // Keeps size and times.
  const Bytes changed = *env.read_file("/src/a.db");
  SnapshotId last{};
  std::size_t warnings = 0;
  for (int round = 0; round < 30; ++round) {
    env.advance_time(kHourNs);
    Recorder recorder;
    const auto report = vault.backup(vault.request({"/src"}), recorder);
    ASSERT_TRUE(report);
    last = *report->snapshot;
    warnings += recorder.warnings.size();
  }
  EXPECT_EQ(warnings, 1U);
  ASSERT_TRUE(vault.restore(last, "/src", "/out"));
  EXPECT_TRUE(env.read_file("/out/a.db") == changed);
}

TEST(Backup, AuditsOnceInAnHourHoweverOftenItRuns) {  // covers S10
  SimEnv env;
  env.write_file("/src/a.db", fake_database(300, 4096, 1));
  env.advance_time(kHourNs);
  Vault vault(env);
  ASSERT_TRUE(vault.init());
  ASSERT_TRUE(vault.backup({"/src"}));
  std::uint64_t read_in_the_hour = 0;
  for (int run = 0; run < 100; ++run) {
    const auto report = vault.backup({"/src"});
    ASSERT_TRUE(report);
    read_in_the_hour += report->stats.bytes_read;
  }
  EXPECT_EQ(read_in_the_hour, 0U);
  std::uint64_t read_in_thirty_hours = 0;
  for (int hour = 0; hour < 30; ++hour) {
    env.advance_time(kHourNs);
    const auto report = vault.backup({"/src"});
    ASSERT_TRUE(report);
    read_in_thirty_hours += report->stats.bytes_read;
  }
  EXPECT_EQ(read_in_thirty_hours, 300U * 4096) << "each span once";
}

TEST(Backup, StoresAgainWhatALostPackHeld) {  // covers F5.4, F2.4
  SimEnv env;
  make_source(env);
  Vault vault(env);
  ASSERT_TRUE(vault.init());
  ASSERT_TRUE(vault.backup({"/src"}));
  for (const std::string& pack : env.list_files("/repo/packs")) env.remove(pack);
  Recorder recorder;
  const auto report = vault.backup(vault.request({"/src"}), recorder);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(recorder.warnings.size(), 1U) << recorder.text();
  ASSERT_TRUE(vault.restore(*report->snapshot, "/src", "/out"));
  EXPECT_EQ(tree_text(env, "/out"), tree_text(env, "/src"));
}

TEST(Backup, OfAStreamRestoresAndCostsOnlyWhatChanged) {
  SimEnv env;
  Vault vault(env);
  ASSERT_TRUE(vault.init());
  Bytes content = text_bytes(5'000'000, 1);
  const auto stream = [&](std::size_t slice) {
    auto request = vault.request({});
    request.stream_name = "dump.sql";
    request.stream = [&content, slice,
                      at = std::size_t{0}](MutableBytes out) mutable -> Result<std::size_t> {
      const std::size_t n = std::min({out.size(), slice, content.size() - at});
      std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(at), n, out.begin());
      at += n;
      return n;
    };
    return request;
  };
  Recorder recorder;
  ASSERT_TRUE(vault.backup(stream(1000), recorder));
  const Bytes line = text_bytes(50, 9);
  content.insert(content.begin() + 2'000'000, line.begin(), line.end());
  const auto second = vault.backup(stream(77'777), recorder);
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_LT(second->stats.bytes_new, 600'000U);
  ASSERT_TRUE(vault.restore(*second->snapshot, "", "/out"));
  EXPECT_TRUE(env.read_file("/out/dump.sql") == content);
}

TEST(Backup, OfFilesLongerThanASpanRestores) {
  SimEnv env;
  Bytes content = fake_database(40'000, 4096, 5);  // 156 MiB: three spans.
  std::fill_n(content.begin() + 70 * 1024 * 1024, 66 * 1024 * 1024, std::byte{0});
  env.write_file("/src/big.db", content);
  env.advance_time(10'000'000'000);
  Vault vault(env);
  ASSERT_TRUE(vault.init());
  auto request = vault.request({"/src"});
  request.compression = repo::Compression::Fastest;
  Recorder recorder;
  ASSERT_TRUE(vault.backup(request, recorder));
  content[150 * 1024 * 1024] ^= std::byte{1};
  env.write_file("/src/big.db", content);
  const auto report = vault.backup(request, recorder);
  ASSERT_TRUE(report);
  EXPECT_LT(report->stats.bytes_new, 300'000U);
  ASSERT_TRUE(vault.restore(*report->snapshot, "/src", "/out"));
  EXPECT_TRUE(env.read_file("/out/big.db") == content);
}

TEST(Workspace, OpenedBeforeALaterBackupRestoresAndChecksItAllTheSame) {  // covers F4.4
  SimEnv env;
  env.write_file("/src/file", text_bytes(100'000, 1));
  Vault vault(env);
  ASSERT_TRUE(vault.init());
  ASSERT_TRUE(vault.backup({"/src"}));
  for (const bool check : {true, false}) {
    auto workspace = std::move(vault.open().value());
    env.write_file("/src/file", text_bytes(100'000, check ? 2 : 3));
    const auto later = vault.backup({"/src"});
    ASSERT_TRUE(later);
    Recorder recorder;
    if (check) {
      ASSERT_TRUE(
          engine::run_check(*workspace, {.read_data = false, .subset_percent = 100}, recorder));
    } else {
      engine::RestoreRequest request;
      request.snapshot = *later->snapshot;
      request.path = "/src";
      request.target = "/out";
      ASSERT_TRUE(engine::run_restore(*workspace, request, recorder));
      EXPECT_EQ(env.read_file("/out/file"), env.read_file("/src/file"));
    }
    EXPECT_EQ(recorder.text(), "");
  }
}

TEST(Dump, GivesTheBytesOfOneFile) {
  SimEnv env;
  make_source(env);
  Vault vault(env);
  ASSERT_TRUE(vault.init());
  const auto report = vault.backup({"/src"});
  ASSERT_TRUE(report);
  auto workspace = std::move(vault.open().value());
  for (const std::string name : {"a.db", "sparse", "empty", "deep/er/random"}) {
    Bytes out;
    ASSERT_TRUE(engine::dump_file(*workspace, *report->snapshot, "/src/" + name, [&](ByteView b) {
      append(out, b);
      return ok();
    }));
    EXPECT_TRUE(out == *env.read_file("/src/" + name)) << name;
  }
}

TEST(Restore, LeavesNothingOutsideTheTargetThroughLinksInIt) {  // covers S14, F6.2
  SimEnv env;
  env.write_file("/src/dir/file", "content");
  Vault vault(env);
  ASSERT_TRUE(vault.init());
  const auto report = vault.backup({"/src"});
  ASSERT_TRUE(report);
  env.make_dirs("/outside");
  env.make_dirs("/out");
  auto out = std::move(env.open_dir("/out").value());
  ASSERT_TRUE(out->make_symlink("dir", "/outside"));
  Recorder recorder;
  engine::RestoreRequest request;
  request.snapshot = *report->snapshot;
  request.path = "/src";
  request.target = "/out";
  const auto restored = vault.restore(request, recorder);
  ASSERT_TRUE(restored);
  EXPECT_EQ(restored->failed, 1U) << recorder.text();
  EXPECT_TRUE(env.list_files("/outside").empty());
}

TEST(Restore, KeepsOrReplacesExistingFilesAsTold) {
  SimEnv env;
  env.write_file("/src/file", "from snapshot");
  Vault vault(env);
  ASSERT_TRUE(vault.init());
  const auto report = vault.backup({"/src"});
  ASSERT_TRUE(report);
  for (const auto overwrite :
       {engine::Overwrite::Never, engine::Overwrite::IfChanged, engine::Overwrite::Always}) {
    env.write_file("/out/file", "mine");
    Recorder recorder;
    engine::RestoreRequest request;
    request.snapshot = *report->snapshot;
    request.path = "/src";
    request.target = "/out";
    request.overwrite = overwrite;
    ASSERT_TRUE(vault.restore(request, recorder));
    const bool kept = overwrite == engine::Overwrite::Never;
    EXPECT_EQ(env.read_file("/out/file"), to_bytes(as_bytes(kept ? "mine" : "from snapshot")));
  }
}

TEST(Restore, NamesDamagedRangesAndRestoresTheRest) {  // covers F5.1, I3
  SimEnv env;
  env.write_file("/src/hurt", random_bytes(2'000'000, 1));
  env.write_file("/src/whole", text_bytes(100'000, 2));
  Vault vault(env);
  ASSERT_TRUE(vault.init());
  const auto report = vault.backup({"/src"});
  ASSERT_TRUE(report);
  std::string data_pack;
  for (const std::string& pack : env.list_files("/repo/packs")) {
    if (data_pack.empty() || env.file_size(pack) > env.file_size(data_pack)) data_pack = pack;
  }
  env.flip_bit(data_pack, 8 * 1'000'000);
  Recorder recorder;
  engine::RestoreRequest request;
  request.snapshot = *report->snapshot;
  request.path = "/src";
  request.target = "/out";
  const auto restored = vault.restore(request, recorder);
  ASSERT_TRUE(restored);
  EXPECT_EQ(restored->damaged, 1U);
  ASSERT_EQ(recorder.problems.size(), 1U) << recorder.text();
  EXPECT_EQ(recorder.problems[0].path, "/src/hurt");
  EXPECT_GT(recorder.problems[0].length, 0U);
  EXPECT_EQ(env.read_file("/out/whole"), env.read_file("/src/whole"));
  EXPECT_FALSE(env.exists("/out/hurt"));
  EXPECT_TRUE(env.exists("/out/hurt.pv-damaged"));
  ASSERT_TRUE(vault.check(recorder));
  const auto& finding = recorder.findings.back();
  EXPECT_EQ(finding.path, "/src/hurt");
  EXPECT_EQ(finding.offset, recorder.problems[0].offset);
  EXPECT_EQ(finding.length, recorder.problems[0].length);
}

}  // namespace
}  // namespace pagevault::testing
