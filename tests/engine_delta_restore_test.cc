// `restore --delta`: a target that is there already becomes what an ordinary restore would make, by
// writing only what differs, whatever was there and whatever goes wrong.

#include "fault_scenario.h"

namespace pagevault::testing {
namespace {

/// A source at /src, one snapshot of it, and targets in several states.
class DeltaRestore : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(vault.init());
    env.write_file("/src/a.db", fake_database(600, 4096, 1));
    env.write_file("/src/sub/text", text_bytes(300'000, 2));
    env.write_file("/src/empty", "");
    auto dir = open("/src");
    auto sparse = std::move(dir->open_file("sparse", OpenMode::CreateExclusive).value());
    ASSERT_TRUE(sparse->write_at(0, text_bytes(100'000, 4)));
    ASSERT_TRUE(sparse->write_at(kHoleEnd, text_bytes(50'000, 5)));
    ASSERT_TRUE(sparse->truncate(1 << 20));
    ASSERT_TRUE(dir->set_xattr("a.db", {"user.note", "keep me"}));
    ASSERT_TRUE(dir->set_metadata("a.db", {.mode = 0640, .uid = 33, .gid = 44, .mtime_ns = 77}));
    env.advance_time(10'000'000'000);
    const auto report = vault.backup({"/src"});
    ASSERT_TRUE(report) << report.error().message();
    id = *report->snapshot;
    expected = tree_text(env, "/src");
    source = contents(env, "/src");
  }

  std::unique_ptr<Dir> open(const std::string& path) {
    return std::move(env.open_dir(path).value());
  }
  /// /out as the snapshot is.
  void restore_all() {
    if (env.exists("/out")) env.remove("/out");
    ASSERT_TRUE(vault.restore(id, "/src", "/out"));
  }
  void write_at(const std::string& path, std::uint64_t offset, ByteView bytes) {
    const std::size_t slash = path.rfind('/');
    const auto file =
        open(path.substr(0, slash))->open_file(path.substr(slash + 1), OpenMode::ReadWrite);
    ASSERT_TRUE((*file)->write_at(offset, bytes));
  }
  /// Every file of the snapshot has its bytes in /out.
  void expect_every_byte() {
    for (const auto& [path, bytes] : source) {
      EXPECT_TRUE(env.read_file("/out" + path.substr(4)) == bytes) << path;
    }
  }
  engine::RestoreRequest request() const {
    engine::RestoreRequest request;
    request.snapshot = id;
    request.path = "/src";
    request.target = "/out";
    request.delta = true;
    return request;
  }
  /// A run that must find nothing wrong.
  engine::RestoreReport must_restore(const engine::RestoreRequest& request) {
    recorder = {};
    const auto report = vault.restore(request, recorder);
    EXPECT_TRUE(report) << (report ? "" : report.error().message());
    EXPECT_EQ(recorder.text(), "");
    return report ? *report : engine::RestoreReport{};
  }
  std::string largest_pack() const {
    std::string largest;
    for (const std::string& pack : env.list_files("/repo/packs")) {
      if (largest.empty() || env.file_size(pack) > env.file_size(largest)) largest = pack;
    }
    return largest;
  }
  void spoil_target(std::uint64_t seed);

  static constexpr std::uint64_t kHoleEnd = 400 * 1024;
  SimEnv env;
  Vault vault{env};
  Recorder recorder;
  SnapshotId id{};
  std::string expected;
  std::map<std::string, Bytes> source;
};

/// Changes /out as time does: bytes, lengths, holes, types, attributes.
void DeltaRestore::spoil_target(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (const std::string path : {"/out/a.db", "/out/sub/text", "/out/empty", "/out/sparse"}) {
    const std::uint64_t size = env.file_size(path);
    for (std::uint64_t i = random() % 6; i > 0; --i) {
      write_at(path, random() % (size + 1), random_bytes(1 + random() % 9'000, random()));
    }
    if (random() % 3 == 0) env.truncate(path, random() % (env.file_size(path) + 100'000));
  }
  auto dir = open("/out");
  auto file = std::move(dir->open_file("a.db", OpenMode::ReadWrite).value());
  ASSERT_TRUE(file->punch_hole({random() % 2'000'000, random() % 200'000}));
  if (random() % 2 == 0) {
    ASSERT_TRUE(dir->set_xattr("a.db", {"user.other", "x"}));
  }
  if (random() % 2 == 0) {
    ASSERT_TRUE(dir->set_xattr("empty", {"system.posix_acl_access", "x"}));
  }
  ASSERT_TRUE(dir->set_metadata("sparse", {.mode = 0400, .uid = 1, .gid = 2, .mtime_ns = 3}));
  if (random() % 4 == 0) env.remove("/out/sub/text");
  if (random() % 4 == 0) {
    env.remove("/out/empty");
    ASSERT_TRUE(dir->make_symlink("empty", "/src/empty"));
  }
}

TEST_F(DeltaRestore, MakesOfAnyTargetWhatAnOrdinaryRestoreMakes) {  // covers I1, F8.3
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(fmt::format("seed={}", seed));
    restore_all();
    spoil_target(seed);
    if (HasFailure()) return;
    auto wanted = request();
    wanted.verify = seed % 2 == 0;
    must_restore(wanted);
    EXPECT_EQ(tree_text(env, "/out"), expected);
    const auto again = must_restore(wanted);
    EXPECT_EQ(again.bytes_fetched + again.bytes_written + again.bytes_zeroed, 0U);
    EXPECT_EQ(again.files_unchanged, again.files);
    if (HasFailure()) return;
  }
}

TEST_F(DeltaRestore, RestoresIntoAnEmptyTargetLikeAnyRestore) {
  must_restore(request());
  EXPECT_EQ(tree_text(env, "/out"), expected);
}

TEST_F(DeltaRestore, WritesOnlyTheExtentsThatDiffer) {
  restore_all();
  for (const std::uint64_t page : {50U, 200U, 333U}) {
    write_at("/out/a.db", page * 4096 + 9, as_bytes("changed"));
  }
  std::uint64_t written = 0;
  env.on_call([&](const SimCall& call) { written += call.operation == "write" ? 1U : 0U; });
  const auto report = must_restore(request());
  env.on_call({});
  EXPECT_LE(written, 3U);
  EXPECT_EQ(report.bytes_written, report.bytes_fetched);
  EXPECT_LE(report.bytes_fetched, 3 * 128 * kKiB);
  EXPECT_GE(report.bytes_compared, 600U * 4096 + 300'000 + 150'000);
  // Of the sparse file, data that is zero up to the next page is compared with a hole.
  EXPECT_GE(report.bytes_equal + report.bytes_fetched, 600U * 4096 + 300'000 + 150'000);
  EXPECT_LE(report.bytes_equal + report.bytes_fetched, report.bytes_compared);
  EXPECT_EQ(report.files_unchanged, 3U);
  EXPECT_EQ(tree_text(env, "/out"), expected);
}

TEST_F(DeltaRestore, ReadsNoDataOfTheRepositoryWhenNothingDiffers) {
  restore_all();
  const std::string data_pack = largest_pack();
  auto workspace = std::move(vault.open().value());
  std::set<std::string> read;
  env.on_call([&](const SimCall& call) { read.emplace(call.path); });
  const auto report = engine::run_restore(*workspace, request(), recorder);
  env.on_call({});
  ASSERT_TRUE(report);
  EXPECT_TRUE(read.contains("/out/a.db"));
  EXPECT_FALSE(read.contains(data_pack));
  EXPECT_EQ(report->bytes_fetched, 0U);
}

TEST_F(DeltaRestore, LeavesHolesOfTheTargetUnreadAndMakesTheSnapshotsHoles) {
  restore_all();
  write_at("/out/sparse", 200'000, random_bytes(120'000, 1));  // Where the snapshot has a hole.
  const auto report = must_restore(request());
  EXPECT_GE(report.bytes_zeroed, 120'000U);
  EXPECT_EQ(report.bytes_written, 0U);
  EXPECT_EQ(tree_text(env, "/out"), expected);
  EXPECT_LT(open("/out")->stat("sparse")->allocated, 250'000U);
  EXPECT_LT(must_restore(request()).bytes_compared, 3'000'000U);
}

TEST_F(DeltaRestore, LeavesAloneWhatTheSnapshotHasNot) {
  restore_all();
  env.write_file("/out/mine", "mine");
  env.write_file("/out/sub/mine", "mine");
  must_restore(request());
  EXPECT_EQ(env.read_file("/out/mine"), to_bytes(as_bytes("mine")));
  EXPECT_EQ(env.read_file("/out/sub/mine"), to_bytes(as_bytes("mine")));
}

TEST_F(DeltaRestore, NeverChangesAFileThroughItsSecondName) {  // covers S14, F6.2
  restore_all();
  write_at("/out/a.db", 5000, as_bytes("changed"));
  const auto before = env.read_file("/out/a.db");
  env.make_dirs("/outside");
  auto out = open("/out");
  ASSERT_TRUE(open("/outside")->make_hard_link(*out, "a.db", "other"));
  must_restore(request());
  EXPECT_TRUE(env.read_file("/outside/other") == before);
  EXPECT_EQ(tree_text(env, "/out"), expected);
}

TEST_F(DeltaRestore, NeverWritesThroughALink) {  // covers S14, F6.2
  env.write_file("/outside/file", "outside");
  for (const std::string where : {"/out/a.db", "/out/sub"}) {
    SCOPED_TRACE(where);
    restore_all();
    env.remove(where);
    const std::string name = where.substr(5);
    ASSERT_TRUE(open("/out")->make_symlink(name, name == "sub" ? "/outside" : "/outside/file"));
    recorder = {};
    const auto report = vault.restore(request(), recorder);
    ASSERT_TRUE(report);
    EXPECT_EQ(env.list_files("/outside"), std::vector<std::string>{"/outside/file"});
    EXPECT_EQ(env.read_file("/outside/file"), to_bytes(as_bytes("outside")));
    EXPECT_EQ(report->failed, name == "sub" ? 1U : 0U);
  }
}

TEST_F(DeltaRestore, WritesNothingToAFileThatTookThePlaceOfTheOneCompared) {  // covers S14, F6.2
  restore_all();
  write_at("/out/a.db", 5000, as_bytes("changed"));
  const Bytes precious = text_bytes(3'000'000, 9);
  env.write_file("/precious", precious);
  env.on_call([&](const SimCall& call) {
    if (call.operation != "read" || call.path != "/out/a.db" || !env.exists("/precious")) return;
    env.swap_files("/precious", "/out/a.db");
    env.remove("/precious");
  });
  const auto report = vault.restore(request(), recorder);
  env.on_call({});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->failed, 1U);
  EXPECT_TRUE(env.read_file("/out/a.db") == precious);
}

TEST_F(DeltaRestore, DryRunSaysWhatWouldBeWrittenAndWritesNothing) {
  restore_all();
  spoil_target(12);
  env.remove("/out/sub");
  const std::string before = tree_text(env, "/out");
  auto dry = request();
  dry.dry_run = true;
  const auto foretold = must_restore(dry);
  EXPECT_EQ(tree_text(env, "/out"), before);
  const auto done = must_restore(request());
  EXPECT_EQ(foretold.bytes_compared, done.bytes_compared);
  EXPECT_EQ(foretold.bytes_equal, done.bytes_equal);
  EXPECT_EQ(foretold.bytes_zeroed, done.bytes_zeroed);
  EXPECT_EQ(foretold.bytes_written, done.bytes_written);
  EXPECT_EQ(foretold.files_unchanged, done.files_unchanged);
  EXPECT_EQ(foretold.files, done.files);
  env.remove("/out");
  must_restore(dry);
  EXPECT_FALSE(env.exists("/out"));
}

TEST_F(DeltaRestore, WithIfChangedDoesNotReadFilesOfEqualSizeAndTime) {
  restore_all();
  write_at("/out/sub/text", 77, as_bytes("changed"));
  auto wanted = request();
  wanted.overwrite = engine::Overwrite::IfChanged;
  const auto report = must_restore(wanted);
  EXPECT_EQ(report.bytes_compared, 300'000U);
  EXPECT_EQ(report.files_skipped, 3U);
  EXPECT_EQ(tree_text(env, "/out"), expected);
}

TEST_F(DeltaRestore, WithIfChangedEqualTimesMeanEqualBytesAfterAPowerLoss) {  // covers F1.2
  restore_all();
  auto wanted = request();
  wanted.overwrite = engine::Overwrite::IfChanged;
  write_at("/out/a.db", 9'000, random_bytes(500'000, 1));
  const SimDisk disk = env.save();
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    env.load(disk);
    must_restore(wanted);
    env.power_loss(seed);
    must_restore(wanted);
    EXPECT_TRUE(env.read_file("/out/a.db") == env.read_file("/src/a.db")) << "seed=" << seed;
  }
}

TEST_F(DeltaRestore, WithNeverIsRefused) {
  auto wanted = request();
  wanted.overwrite = engine::Overwrite::Never;
  const auto report = vault.restore(wanted, recorder);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::InvalidArgument);
  EXPECT_FALSE(env.exists("/out"));
}

// covers F5.1, I3
TEST_F(DeltaRestore, CallsAFileDamagedWhenARangeCannotBeRestoredAndKeepsTheOldBytesThere) {
  restore_all();
  env.remove("/out/sub");
  env.remove("/out/sparse");
  const Bytes old = random_bytes(2'000'000, 7);
  env.write_file("/out/a.db", old);
  env.flip_bit(largest_pack(), 8 * (env.file_size(largest_pack()) / 4));
  const auto report = vault.restore(request(), recorder);
  ASSERT_TRUE(report) << report.error().message();
  ASSERT_EQ(recorder.problems.size(), 1U) << recorder.text();
  EXPECT_EQ(report->damaged, 1U);
  const auto& problem = recorder.problems[0];
  const std::string name = "/out" + problem.path.substr(4);
  EXPECT_FALSE(env.exists(name)) << "old bytes under the right name";
  Bytes wanted = *env.read_file(problem.path);
  if (name == "/out/a.db") {
    std::copy_n(old.begin() + static_cast<std::ptrdiff_t>(problem.offset), problem.length,
                wanted.begin() + static_cast<std::ptrdiff_t>(problem.offset));
  } else {
    std::fill_n(wanted.begin() + static_cast<std::ptrdiff_t>(problem.offset), problem.length,
                std::byte{0});
  }
  EXPECT_EQ(name, "/out/a.db");
  EXPECT_TRUE(env.read_file(name + ".pv-damaged") == wanted);
}

TEST_F(DeltaRestore, DoesNotNeedDamagedDataThatTheTargetStillHas) {  // covers F5.4
  restore_all();
  env.remove(largest_pack());
  must_restore(request());
  EXPECT_EQ(tree_text(env, "/out"), expected);
}

TEST_F(DeltaRestore, NamesAFileThatCannotBeReadAndLeavesItAlone) {  // covers F2.2
  restore_all();
  env.truncate("/out/a.db", 5'000'000);
  env.set_unreadable("/out/a.db", {100'000, 10});
  const auto report = vault.restore(request(), recorder);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->failed, 1U);
  ASSERT_EQ(recorder.problems.size(), 1U);
  EXPECT_EQ(recorder.problems[0].path, "/src/a.db");
  EXPECT_EQ(env.file_size("/out/a.db"), 5'000'000U);
  env.set_unreadable("/out/a.db", {});
  must_restore(request());
  EXPECT_EQ(tree_text(env, "/out"), expected);
}

TEST_F(DeltaRestore, ReplacesAFileThatMayNotBeOpened) {
  restore_all();
  env.set_denied("/out/a.db", true);
  must_restore(request());
  EXPECT_EQ(tree_text(env, "/out"), expected);
}

TEST_F(DeltaRestore, OnAFullDiskEndsAndTheNextRunCompletesIt) {  // covers F2.1
  restore_all();
  env.truncate("/out/a.db", 1'000'000);
  env.set_capacity(8192);
  EXPECT_EQ(vault.restore(request(), recorder).error().code(), ErrorCode::NoSpace);
  env.set_capacity(UINT64_MAX / 2);
  must_restore(request());
  EXPECT_EQ(tree_text(env, "/out"), expected);
}

TEST_F(DeltaRestore, StopsWhenAskedToAndTheNextRunCompletesIt) {  // covers F1.4, I12
  restore_all();
  env.write_file("/out/a.db", random_bytes(3'000'000, 1));
  const SimDisk disk = env.save();
  for (const unsigned call : {1U, 2U, 3U}) {
    env.load(disk);
    auto workspace = std::move(vault.open().value());
    unsigned reads = 0;
    env.on_call([&](const SimCall& seen) {
      if (seen.operation == "read" && seen.path == "/out/a.db" && ++reads == call) {
        workspace->cancel().cancel();
      }
    });
    const auto report = engine::run_restore(*workspace, request(), recorder);
    env.on_call({});
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code(), ErrorCode::Cancelled);
    workspace.reset();
    must_restore(request());
    EXPECT_EQ(tree_text(env, "/out"), expected);
  }
}

TEST_F(DeltaRestore, KilledAnywhereIsCompletedByTheNextRun) {  // covers F1.1, F1.2, F1.3, I12
  restore_all();
  spoil_target(12);
  const SimDisk disk = env.save();
  const std::uint64_t before = env.calls();
  must_restore(request());
  const std::uint64_t calls = env.calls() - before;
  for (std::uint64_t k = 0; k < 2 * calls; ++k) {
    SCOPED_TRACE(fmt::format("k={} of {}", k, 2 * calls));
    env.load(disk);
    env.reseed(k);
    env.crash_at_call(k / 2);
    vault.restore(request(), recorder).ignore("killed on purpose");
    if (k % 2 == 0) {
      env.process_restart();
    } else {
      env.power_loss(k);
    }
    must_restore(request());
    expect_every_byte();
    if (HasFailure()) return;
  }
}

TEST_F(DeltaRestore, FailingAtAnyCallSaysSoAndIsCompletedByTheNextRun) {
  // covers F2.1, F2.2, F2.3, F3.2, I3
  restore_all();
  spoil_target(12);
  const SimDisk disk = env.save();
  for (const SimFault& kind :
       {SimFault{.code = ErrorCode::Io}, SimFault{.code = ErrorCode::NoSpace, .permanent = true},
        SimFault{.code = ErrorCode::Io, .effect = SimEffect::Done}}) {
    std::uint64_t fired = 1;
    for (std::uint64_t k = 0; fired > 0; ++k) {
      SCOPED_TRACE(fmt::format("{} permanent={} k={}", to_string(kind.code), kind.permanent, k));
      env.load(disk);
      const std::uint64_t before = env.faults_fired();
      SimFault fault = kind;
      fault.call = k;
      env.fail_call(fault);
      recorder = {};
      const auto report = vault.restore(request(), recorder);
      fired = env.faults_fired() - before;
      env.clear_faults();
      const bool told = !report || report->damaged + report->failed > 0;
      if (report) {
        EXPECT_EQ(told, !recorder.problems.empty()) << recorder.text();
      }
      if (!told) expect_every_byte();
      must_restore(request());
      expect_every_byte();
      if (HasFailure()) return;
    }
  }
}

TEST_F(DeltaRestore, OfRandomMapsAndTargetsIsExact) {  // covers I1, F6.3
  // Long files with holes on both sides, at every alignment, over a span's border.
  std::mt19937_64 random(3);
  for (int round = 0; round < 3; ++round) {
    SCOPED_TRACE(round);
    const auto make = [&](const std::string& path) {
      env.write_file(path, "");
      const auto dir = open(path.substr(0, path.rfind('/')));
      auto file = std::move(dir->open_file("long", OpenMode::ReadWrite).value());
      for (int i = 0; i < 40; ++i) {
        const std::uint64_t at = random() % (70 * kMiB);
        ASSERT_TRUE(file->write_at(at, text_bytes(random() % 400'000, random() % 10)));
      }
      ASSERT_TRUE(file->truncate(66 * kMiB + random() % (5 * kMiB)));
    };
    make("/src/long");
    make("/out/long");
    env.advance_time(10'000'000'000);
    const auto backup = vault.backup({"/src"});
    ASSERT_TRUE(backup);
    id = *backup->snapshot;
    must_restore(request());
    EXPECT_TRUE(env.read_file("/out/long") == env.read_file("/src/long"));
    const auto again = must_restore(request());
    EXPECT_EQ(again.bytes_fetched + again.bytes_zeroed, 0U);
  }
}

TEST(Restore, LinksNoNameToAnOldFileWhenTheFirstOneIsDamaged) {  // covers F5.1, I3
  for (const bool delta : {false, true}) {
    SimEnv env;
    Vault vault(env);
    ASSERT_TRUE(vault.init());
    env.write_file("/src/a", random_bytes(500'000, 1));
    auto src = std::move(env.open_dir("/src").value());
    ASSERT_TRUE(src->make_hard_link(*src, "a", "b"));
    const auto backup = vault.backup({"/src"});
    ASSERT_TRUE(backup);
    for (const std::string& pack : env.list_files("/repo/packs")) {
      if (env.file_size(pack) > 400'000) env.remove(pack);
    }
    env.write_file("/out/a", "old");
    env.write_file("/out/b", "old too");
    Recorder recorder;
    engine::RestoreRequest request;
    request.snapshot = *backup->snapshot;
    request.path = "/src";
    request.target = "/out";
    request.delta = delta;
    const auto report = vault.restore(request, recorder);
    ASSERT_TRUE(report);
    EXPECT_GT(report->damaged, 0U);
    EXPECT_EQ(report->failed, 1U) << recorder.text();
    EXPECT_EQ(env.read_file("/out/b"), to_bytes(as_bytes("old too")));
    EXPECT_EQ(env.exists("/out/a"), !delta);
  }
}

}  // namespace
}  // namespace pagevault::testing
