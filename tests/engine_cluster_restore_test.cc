// Restores of whole PostgreSQL clusters: what is refused before anything is written, what ends up
// where, and that whatever goes wrong no server can start on half of a restore.

#include "cluster_snapshots.h"
#include "fault_scenario.h"
#include "pagevault/pgsupport/archive_reader.h"

namespace pagevault::testing {
namespace {

class ClusterRestore : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(vault.init());
    write_cluster(env, "/cluster");
    auto global = open("/cluster");
    ASSERT_TRUE(
        global->set_metadata("global", {.mode = 0700, .uid = 26, .gid = 27, .mtime_ns = 5}));
    take(sample_cluster());
  }

  std::unique_ptr<Dir> open(const std::string& path) {
    return std::move(env.open_dir(path).value());
  }
  void take(const repo::PostgresRecord& record) {
    env.advance_time(10'000'000'000);
    const auto taken = take_cluster(vault, "/cluster", record);
    ASSERT_TRUE(taken) << taken.error().message();
    id = *taken;
  }
  /// Two tablespaces: 16390 lay outside, 16391 is in place.
  void take_with_tablespaces() {
    env.write_file("/cluster/pg_tblspc/16390/PG_17_202406281/5/16500", text_bytes(90'000, 7));
    env.write_file("/cluster/pg_tblspc/16391/PG_17_202406281/5/16501", text_bytes(9'000, 8));
    auto record = sample_cluster();
    record.tablespaces = {{.oid = 16'390, .location = "/srv/fast"},
                          {.oid = 16'391, .location = ""}};
    take(record);
  }
  engine::RestoreRequest request() const {
    engine::RestoreRequest out;
    out.snapshot = id;
    out.target = "/pgdata";
    return out;
  }
  engine::RestoreRequest delta() const {
    auto out = request();
    out.delta = true;
    return out;
  }
  static engine::RestoreRequest mapped(engine::RestoreRequest request,
                                       const std::string& directory = "/fast") {
    request.cluster.tablespaces = {{.oid = 16'390, .directory = directory}};
    return request;
  }
  engine::RestoreReport must_restore(const engine::RestoreRequest& wanted) {
    recorder = {};
    const auto report = vault.restore(wanted, recorder);
    EXPECT_TRUE(report) << report.error().message();
    if (!report) return {};
    EXPECT_EQ(report->damaged + report->failed, 0U) << recorder.text();
    EXPECT_FALSE(report->control_withheld);
    return *report;
  }
  /// The error of a restore that changes nothing on the disk but the repository.
  Error refusal_of(const engine::RestoreRequest& refused) {
    const auto before = outside_of_repository();
    recorder = {};
    const auto report = vault.restore(refused, recorder);
    EXPECT_EQ(outside_of_repository(), before);
    if (!report) return report.error();
    ADD_FAILURE() << "restored";
    return {ErrorCode::Io, "none"};
  }
  std::map<std::string, Bytes> outside_of_repository() const {
    auto files = contents(env, "/");
    std::erase_if(files, [](const auto& file) { return file.first.starts_with("/repo/"); });
    return files;
  }
  /// `name` of the cluster, as it was.
  void expect_same(const std::string& name, const std::string& target = "/pgdata") const {
    EXPECT_TRUE(env.read_file(target + name) == env.read_file("/cluster" + name)) << name;
  }
  /// Every file of the cluster is there, and nothing that neither it nor a restore has.
  void expect_whole(bool with_tablespace = false, const std::string& beside = "") const {
    std::set<std::string> expected = {"/pgdata/recovery.signal"};
    for (const auto& [path, bytes] : contents(env, "/cluster")) {
      const std::string name = path.substr(8);
      if (name == "/backup_manifest.original") continue;
      const bool moved = with_tablespace && name.starts_with(kMoved);
      const std::string target = moved ? "/fast" + name.substr(kMoved.size()) : "/pgdata" + name;
      expected.insert(target);
      if (name != "/postgresql.auto.conf") {
        EXPECT_TRUE(env.read_file(target) == bytes) << target;
      }
    }
    EXPECT_EQ(text_of("/pgdata/postgresql.auto.conf"),
              "work_mem = '8MB'\n" + settings("restore_command = 'false'\n"));
    std::set<std::string> found;
    for (const char* root : {"/pgdata", "/fast"}) {
      if (!env.exists(root)) continue;
      for (const auto& [path, bytes] : contents(env, root)) found.insert(path);
    }
    found.erase(beside);
    EXPECT_EQ(found, expected);
  }
  std::string settings(const std::string& lines) const {
    return fmt::format(
        "\n# Written by pagevault restore of snapshot {}.\n"
        "# recovery.signal wants a restore_command; this one finds nothing, so that recovery uses "
        "the WAL in pg_wal.\n{}",
        to_hex(id.view()).substr(0, 16), lines);
  }
  std::string text_of(const std::string& path) const {
    const auto bytes = env.read_file(path);
    return bytes ? std::string(as_text(*bytes)) : "(absent)";
  }
  /// A server would take it for a cluster.
  bool starts() const { return env.exists("/pgdata/global/pg_control"); }
  /// Files of another time, in places where they would be dangerous, over a restored cluster.
  void spoil() {
    env.write_file("/pgdata/base/5/99999", "stale");
    env.write_file("/pgdata/base/7/1", "of a database that is gone");
    env.write_file("/pgdata/pg_wal/000000010000000000000009", "stale");
    env.write_file("/pgdata/pg_replslot/slot/state", "stale");
    env.write_file("/pgdata/postmaster.pid", "4242\n/pgdata\n");
    env.write_file("/pgdata/base/5/16385", random_bytes(8'192, 99));
    env.write_file("/pgdata/log/server.log", "old");
    env.remove("/pgdata/global/1260");
  }

  static constexpr std::string_view kMoved = "/pg_tblspc/16390";
  SimEnv env;
  Vault vault{env};
  SnapshotId id;
  Recorder recorder;
};

// ---- what a restore makes -------------------------------------------------------------------

TEST_F(ClusterRestore, MakesADataDirectoryThatAServerTakes) {
  must_restore(request());
  expect_whole();
  const auto top = open("/")->stat("pgdata");
  EXPECT_EQ(top->mode, 0700U);
  EXPECT_EQ(top->uid, 26U);
  EXPECT_EQ(top->gid, 27U);
  EXPECT_EQ(open("/pgdata")->stat("recovery.signal")->mode, 0600U);
  EXPECT_EQ(open("/pgdata")->stat("recovery.signal")->uid, 26U);
  EXPECT_TRUE(env.exists("/pgdata/pg_replslot"));
  EXPECT_TRUE(env.exists("/pgdata/pg_wal/archive_status"));
  EXPECT_EQ(recorder.text(), "");
}

TEST_F(ClusterRestore, KeepsTheModeOfGroupAccess) {
  auto record = sample_cluster();
  record.group_access = true;
  take(record);
  must_restore(request());
  EXPECT_EQ(open("/")->stat("pgdata")->mode, 0750U);
}

TEST_F(ClusterRestore, TakesAnEmptyFolderAndRefusesAnyOther) {
  env.make_dirs("/pgdata");
  must_restore(request());
  expect_whole();
  const Error error = refusal_of(request());
  EXPECT_EQ(error.code(), ErrorCode::AlreadyExists);
  EXPECT_NE(error.message().find("/pgdata is not empty"), std::string::npos) << error.message();
}

TEST_F(ClusterRestore, WritesWhatRecoveryIsAskedToDo) {
  auto wanted = request();
  wanted.cluster.recovery_options = {{"restore_command", "cp '/a\\b' %p"},
                                     {"recovery_target_time", "2026-11-27 12:00:00+00"}};
  must_restore(wanted);
  EXPECT_EQ(text_of("/pgdata/postgresql.auto.conf"),
            fmt::format("work_mem = '8MB'\n"
                        "\n# Written by pagevault restore of snapshot {}.\n"
                        "restore_command = 'cp ''/a\\\\b'' %p'\n"
                        "recovery_target_time = '2026-11-27 12:00:00+00'\n",
                        to_hex(id.view()).substr(0, 16)));
}

TEST_F(ClusterRestore, LeavesSettingsAloneWithoutASignal) {
  auto wanted = request();
  wanted.cluster.recovery_signal = false;
  must_restore(wanted);
  EXPECT_FALSE(env.exists("/pgdata/recovery.signal"));
  expect_same("/postgresql.auto.conf");
}

TEST_F(ClusterRestore, AddsSettingsBehindALineWithoutEndAndMakesTheFileWhenMissing) {
  env.write_file("/cluster/postgresql.auto.conf", "work_mem = '8MB'");
  take(sample_cluster());
  must_restore(request());
  EXPECT_EQ(text_of("/pgdata/postgresql.auto.conf"),
            "work_mem = '8MB'\n" + settings("restore_command = 'false'\n"));
  env.remove("/cluster/postgresql.auto.conf");
  env.remove("/pgdata");
  take(sample_cluster());
  must_restore(request());
  EXPECT_EQ(text_of("/pgdata/postgresql.auto.conf"), settings("restore_command = 'false'\n"));
  EXPECT_EQ(open("/pgdata")->stat("postgresql.auto.conf")->uid, 26U);
}

TEST_F(ClusterRestore, RefusesSettingsThatWouldBecomeOthers) {
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"", "x"},
           {"Restore_command", "x"},
           {"a b", "x"},
           {"a=b", "x"},
           {"restore_command", "a\nfsync = off"},
           {"restore_command", "a\rb"},
           {"restore_command", std::string("a\0b", 3)}}) {
    auto wanted = request();
    wanted.cluster.recovery_options = {{name, value}};
    EXPECT_EQ(refusal_of(wanted).code(), ErrorCode::InvalidArgument) << name;
  }
}

TEST_F(ClusterRestore, PutsRecoverySignalInThePlaceOfStandbySignal) {
  env.write_file("/cluster/standby.signal", "");
  take(sample_cluster());
  must_restore(request());
  EXPECT_FALSE(env.exists("/pgdata/standby.signal"));
  EXPECT_TRUE(env.exists("/pgdata/recovery.signal"));
  ASSERT_EQ(recorder.warnings.size(), 1U);
  EXPECT_NE(recorder.warnings[0].find("standby.signal"), std::string::npos);
  env.remove("/pgdata");
  auto wanted = request();
  wanted.cluster.recovery_signal = false;
  must_restore(wanted);
  EXPECT_TRUE(env.exists("/pgdata/standby.signal"));
}

TEST_F(ClusterRestore, OfAPartHasNoRulesOfTheWhole) {
  env.write_file("/pgdata/mine", "mine");
  auto part = request();
  part.includes = {"/base/5"};
  must_restore(part);
  expect_same("/base/5/16384");
  EXPECT_FALSE(env.exists("/pgdata/recovery.signal"));
  EXPECT_FALSE(env.exists("/pgdata/global"));
  auto file = request();
  file.path = "/backup_manifest.original";
  must_restore(file);
  expect_same("/backup_manifest.original");
  auto control = request();
  control.path = "/global/pg_control";
  control.target = "/pgdata/global";
  must_restore(control);
  expect_same("/global/pg_control");
}

TEST_F(ClusterRestore, RefusesItsSettingsForAPartAndPartsLeftOutOfTheWhole) {
  auto part = request();
  part.path = "/base";
  part.cluster.recovery_signal = false;
  EXPECT_EQ(refusal_of(part).code(), ErrorCode::InvalidArgument);
  auto excluding = request();
  excluding.excludes = {"16384"};
  EXPECT_EQ(refusal_of(excluding).code(), ErrorCode::InvalidArgument);
}

// ---- tablespaces ----------------------------------------------------------------------------

TEST_F(ClusterRestore, AsksWhereTablespacesGoThatLayOutside) {  // covers S14
  take_with_tablespaces();
  const Error error = refusal_of(request());
  EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
  EXPECT_NE(error.message().find("--tablespace-map 16390=DIR (was at /srv/fast)"),
            std::string::npos)
      << error.message();
  EXPECT_EQ(error.message().find("16391"), std::string::npos);
}

TEST_F(ClusterRestore, PutsATablespaceWhereItIsMappedAndLinksToIt) {
  take_with_tablespaces();
  must_restore(mapped(request()));
  expect_whole(/*with_tablespace=*/true);
  EXPECT_EQ(open("/pgdata/pg_tblspc")->read_link("16390").value(), "/fast");
  EXPECT_EQ(open("/")->stat("fast")->mode, open("/cluster/pg_tblspc")->stat("16390")->mode);
  EXPECT_EQ(open("/pgdata/pg_tblspc")->stat("16391")->type, FileType::Directory);
  EXPECT_FALSE(env.exists("/srv"));
}

TEST_F(ClusterRestore, PutsAllTablespacesBelowOneFolderOrInPlace) {
  take_with_tablespaces();
  auto all = request();
  all.cluster.tablespaces_below = "/spaces//";
  must_restore(all);
  EXPECT_EQ(open("/pgdata/pg_tblspc")->read_link("16390").value(), "/spaces/16390");
  EXPECT_TRUE(env.exists("/spaces/16390/PG_17_202406281/5/16500"));
  EXPECT_FALSE(env.exists("/spaces/16391"));
  env.remove("/pgdata");
  must_restore(mapped(request(), ""));
  expect_whole();
}

TEST_F(ClusterRestore, LetsTheServersUserThroughTheFoldersItMakes) {
  take_with_tablespaces();
  env.make_dirs("/srv");
  auto deep = mapped(request(), "/srv/a/b/fast");
  deep.target = "/srv/x/y/pgdata";
  must_restore(deep);
  for (const char* made : {"/srv/a", "/srv/x"}) EXPECT_EQ(open(made)->info()->uid, 26U) << made;
  EXPECT_EQ(open("/srv/a/b")->info()->gid, 27U);
  EXPECT_NE(open("/srv")->info()->uid, 26U);
}

TEST_F(ClusterRestore, RefusesPlacesOfTablespacesThatWouldHarm) {  // covers S14, F6.1
  take_with_tablespaces();
  for (const char* bad :
       {"relative", "/", "/a/../pgdata", "/pgdata", "/pgdata/x", "//pgdata/./x"}) {
    EXPECT_EQ(refusal_of(mapped(request(), bad)).code(), ErrorCode::InvalidArgument) << bad;
  }
  auto unknown = mapped(request());
  unknown.cluster.tablespaces.push_back({.oid = 16'392, .directory = "/y"});
  EXPECT_EQ(refusal_of(unknown).code(), ErrorCode::InvalidArgument);
  auto twice = mapped(request());
  twice.cluster.tablespaces.push_back({.oid = 16'390, .directory = "/y"});
  EXPECT_EQ(refusal_of(twice).code(), ErrorCode::InvalidArgument);
  auto nested = mapped(request());
  nested.cluster.tablespaces.push_back({.oid = 16'391, .directory = "/fast/sub"});
  EXPECT_EQ(refusal_of(nested).code(), ErrorCode::InvalidArgument);
  env.write_file("/fast/mine", "mine");
  EXPECT_EQ(refusal_of(mapped(request())).code(), ErrorCode::AlreadyExists);
}

TEST_F(ClusterRestore, SeesATablespaceInsideTheTargetThroughALink) {  // covers S14
  take_with_tablespaces();
  env.make_dirs("/pgdata");
  ASSERT_TRUE(open("/")->make_symlink("alias", "/pgdata"));
  EXPECT_EQ(refusal_of(mapped(request(), "/alias/x")).code(), ErrorCode::InvalidArgument);
}

TEST_F(ClusterRestore, NeverMakesALinkThatTheSnapshotHasAmongTablespaces) {  // covers S14, F6.2
  ASSERT_TRUE(open("/cluster/pg_tblspc")->make_symlink("16390", "/live"));
  env.write_file("/live/PG_17_202406281/5/1", "in use");
  take(sample_cluster());
  recorder = {};
  const auto report = vault.restore(request(), recorder);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->failed, 1U);
  EXPECT_FALSE(env.exists("/pgdata/pg_tblspc/16390"));
  EXPECT_FALSE(starts());
  EXPECT_EQ(text_of("/live/PG_17_202406281/5/1"), "in use");
}

// ---- over an old data directory -------------------------------------------------------------

TEST_F(ClusterRestore, WithDeltaTakesAwayWhatTheSnapshotHasNot) {
  must_restore(request());
  spoil();
  const auto report = must_restore(delta());
  expect_whole();
  EXPECT_FALSE(env.exists("/pgdata/base/7"));
  EXPECT_FALSE(env.exists("/pgdata/pg_replslot/slot"));
  EXPECT_TRUE(env.exists("/pgdata/pg_replslot"));
  EXPECT_GE(report.removed, 6U);
  EXPECT_GT(report.files_unchanged, 3U);
  EXPECT_EQ(must_restore(delta()).bytes_fetched, must_restore(delta()).bytes_fetched);
  expect_whole();
}

TEST_F(ClusterRestore, WithDeltaReplacesFoldersByFilesAndFilesByFolders) {
  must_restore(request());
  env.remove("/pgdata/base/5/16384");
  env.make_dirs("/pgdata/base/5/16384/deep/deeper");
  env.write_file("/pgdata/base/5/16384/deep/file", "x");
  env.remove("/pgdata/pg_wal");
  env.write_file("/outside/000000010000000000000002", "in use");
  ASSERT_TRUE(open("/pgdata")->make_symlink("pg_wal", "/outside"));
  must_restore(delta());
  expect_whole();
  EXPECT_EQ(text_of("/outside/000000010000000000000002"), "in use");
}

TEST_F(ClusterRestore, WithDeltaSaysWhatItWouldRemoveInADryRun) {
  must_restore(request());
  spoil();
  const auto before = outside_of_repository();
  auto dry = delta();
  dry.dry_run = true;
  const auto report = must_restore(dry);
  EXPECT_GE(report.removed, 6U);
  EXPECT_EQ(outside_of_repository(), before);
  EXPECT_TRUE(starts());
}

TEST_F(ClusterRestore, WithDeltaRefusesAFolderThatIsNoDataDirectory) {
  env.write_file("/pgdata/letters/to mother", "dear");
  Error error = refusal_of(delta());
  EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
  EXPECT_NE(error.message().find("does not look like a data directory"), std::string::npos);
  env.write_file("/pgdata/PG_VERSION", "17\n");
  EXPECT_EQ(refusal_of(delta()).code(), ErrorCode::InvalidArgument);
  env.make_dirs("/pgdata/global");
  EXPECT_EQ(refusal_of(delta()).code(), ErrorCode::InvalidArgument);
  env.write_file("/pgdata/global/pg_control", "short");
  EXPECT_EQ(refusal_of(delta()).code(), ErrorCode::InvalidArgument);
  env.write_file("/pgdata/global/pg_control", control_file(1));
  error = refusal_of(delta());
  EXPECT_NE(error.message().find("another cluster (system identifier 1"), std::string::npos);
  env.write_file("/pgdata/global/pg_control", control_file());
  must_restore(delta());
  expect_whole();
}

TEST_F(ClusterRestore, RefusesADataDirectoryOnWhichAServerMayRun) {  // covers F8.11
  must_restore(request());
  env.set_process(4'242, true);
  for (const char* pid : {"4242\n/pgdata\n", "4242", "-4242\n/pgdata\n", "", "\n", "x\n", "0\n",
                          "4242x\n", "99999999999999999999\n"}) {
    env.write_file("/pgdata/postmaster.pid", pid);
    const Error error = refusal_of(delta());
    EXPECT_EQ(error.code(), ErrorCode::Locked) << pid;
    EXPECT_NE(error.message().find("pg_ctl stop -D /pgdata"), std::string::npos);
  }
  env.set_denied("/pgdata/postmaster.pid", true);
  EXPECT_EQ(vault.restore(delta(), recorder).error().code(), ErrorCode::Locked);
  env.set_denied("/pgdata/postmaster.pid", false);
  env.set_process(4'242, false);
  env.write_file("/pgdata/postmaster.pid", "4242\n/pgdata\n");
  must_restore(delta());
  expect_whole();
}

TEST_F(ClusterRestore, PutsEverythingBackWhenAServerStartsAtTheLastMoment) {
  must_restore(request());
  const auto before = outside_of_repository();
  env.on_call([&](const SimCall& call) {
    if (call.operation != "rename" || !call.path.starts_with("/pgdata/global/pg_control")) return;
    env.write_file("/pgdata/postmaster.pid", "4242\n/pgdata\n");
    env.set_process(4'242, true);
  });
  const auto report = vault.restore(delta(), recorder);
  env.on_call({});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::Locked);
  env.remove("/pgdata/postmaster.pid");
  EXPECT_EQ(outside_of_repository(), before);
}

TEST_F(ClusterRestore, GoesOnFromAnUnfinishedOneWhateverIsThere) {
  env.write_file("/pgdata/.pv-restore-unfinished", "");
  env.write_file("/pgdata/base", "a file");
  env.write_file("/elsewhere/pg_control", control_file());
  ASSERT_TRUE(open("/pgdata")->make_symlink("global", "/elsewhere"));
  std::string first_removed;
  env.on_call([&](const SimCall& call) {
    const bool ours = call.operation == "remove" && call.path.starts_with("/pgdata/");
    if (ours && first_removed.empty()) first_removed = call.path;
  });
  must_restore(delta());
  env.on_call({});
  EXPECT_EQ(first_removed, "/pgdata/global");
  expect_whole();
  EXPECT_TRUE(env.read_file("/elsewhere/pg_control") == control_file());
}

TEST_F(ClusterRestore, WithDeltaUsesATablespacesOwnPlaceAgainAndNoOther) {
  take_with_tablespaces();
  must_restore(mapped(request()));
  env.write_file("/fast/PG_17_202406281/5/77", "stale");
  env.write_file("/fast/PG_17_202406281/9/1", "stale");
  env.write_file("/fast/PG_15_202209061/5/1", "of another version");
  env.write_file("/fast/mine", "mine");
  env.write_file("/live/PG_17_202406281/5/1", "in use");
  EXPECT_EQ(refusal_of(mapped(delta(), "/live")).code(), ErrorCode::AlreadyExists);
  must_restore(mapped(delta()));
  EXPECT_EQ(text_of("/fast/mine"), "mine");
  EXPECT_EQ(text_of("/fast/PG_15_202209061/5/1"), "of another version");
  env.remove("/fast/mine");
  env.remove("/fast/PG_15_202209061");
  expect_whole(/*with_tablespace=*/true);
  EXPECT_FALSE(env.exists("/fast/PG_17_202406281/9"));
}

TEST_F(ClusterRestore, WithDeltaMovesATablespaceAndLeavesTheOldPlaceAlone) {
  take_with_tablespaces();
  must_restore(mapped(request(), "/old"));
  const auto before = contents(env, "/old");
  must_restore(mapped(delta()));
  expect_whole(/*with_tablespace=*/true);
  EXPECT_EQ(contents(env, "/old"), before);
  must_restore(mapped(delta(), ""));  // In place now.
  EXPECT_EQ(open("/pgdata/pg_tblspc")->stat("16390")->type, FileType::Directory);
  env.remove("/fast");
  expect_whole();
  must_restore(mapped(delta()));  // And out again.
  expect_whole(/*with_tablespace=*/true);
}

// ---- as an archive --------------------------------------------------------------------------

/// Members in order: path, type, and bytes of files.
struct Unpacked {
  std::vector<std::string> paths;
  std::map<std::string, Bytes> files;
  std::map<std::string, FileInfo> infos;
};

Result<Unpacked> unpack(ByteView archive) {
  Unpacked out;
  std::size_t at = 0;
  const auto source = [&]() -> Result<ByteView> {
    const ByteView piece = archive.subspan(at, std::min<std::size_t>(5'000, archive.size() - at));
    at += piece.size();
    return piece;
  };
  PV_TRY_ASSIGN(const auto reader, pgsupport::ArchiveReader::open(source));
  while (true) {
    PV_TRY_ASSIGN(const auto member, reader->next());
    if (!member) return out;
    out.paths.push_back(member->path);
    out.infos[member->path] = member->info;
    if (member->info.type != FileType::Regular) continue;
    Bytes bytes(member->info.size);
    std::size_t got = 0;
    while (got < bytes.size()) {
      PV_TRY_ASSIGN(const std::size_t more, reader->read(MutableBytes(bytes).subspan(got)));
      if (more == 0) break;
      got += more;
    }
    out.files[member->path] = std::move(bytes);
  }
}

TEST_F(ClusterRestore, AsAnArchiveHasAllOfADataDirectoryAndTheControlFileLast) {
  take_with_tablespaces();
  auto cluster = open("/cluster");
  auto sparse = std::move(cluster->open_file("sparse", OpenMode::CreateExclusive).value());
  ASSERT_TRUE(sparse->write_at(3'000'000, text_bytes(700, 9)));
  auto record = sample_cluster();
  record.tablespaces = {{.oid = 16'390, .location = "/srv/fast"}, {.oid = 16'391, .location = ""}};
  take(record);
  Bytes archive;
  auto workspace = std::move(vault.open().value());
  const Status dumped = engine::dump_tar(
      *workspace, id,
      [&](ByteView bytes) {
        append(archive, bytes);
        return ok();
      },
      recorder);
  ASSERT_TRUE(dumped) << dumped.error().message();
  const auto unpacked = unpack(archive);
  ASSERT_TRUE(unpacked) << unpacked.error().message();
  EXPECT_EQ(unpacked->paths.back(), "global/pg_control");
  EXPECT_EQ(unpacked->infos.at("global").uid, 26U);
  EXPECT_EQ(unpacked->infos.at("pg_wal/archive_status").type, FileType::Directory);
  std::map<std::string, Bytes> expected;
  for (const auto& [path, bytes] : contents(env, "/cluster")) expected[path.substr(9)] = bytes;
  expected.erase("backup_manifest.original");
  EXPECT_EQ(unpacked->files, expected);
  EXPECT_EQ(recorder.text(), "");
}

TEST_F(ClusterRestore, AnArchiveOfADamagedSnapshotEndsWithoutItsMark) {  // covers F5.1, I3
  for (const std::string& pack : env.list_files("/repo/packs")) {
    if (env.file_size(pack) > 60'000) env.flip_bit(pack, 8 * 60'000);
  }
  Bytes archive;
  auto workspace = std::move(vault.open().value());
  const Status dumped = engine::dump_tar(
      *workspace, id,
      [&](ByteView bytes) {
        append(archive, bytes);
        return ok();
      },
      recorder);
  ASSERT_FALSE(dumped);
  EXPECT_FALSE(unpack(archive));
}

// ---- when it goes wrong ---------------------------------------------------------------------

TEST_F(ClusterRestore, LeavesOutTheControlFileWhenAPartIsDamaged) {  // covers F5.1, I3
  std::string largest;
  for (const std::string& pack : env.list_files("/repo/packs")) {
    if (largest.empty() || env.file_size(pack) > env.file_size(largest)) largest = pack;
  }
  const SimDisk whole = env.save();
  env.flip_bit(largest, 8 * 60'000);
  recorder = {};
  const auto report = vault.restore(request(), recorder);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_GT(report->damaged, 0U);
  EXPECT_TRUE(report->control_withheld);
  EXPECT_FALSE(starts());
  ASSERT_EQ(recorder.warnings.size(), 1U);
  EXPECT_NE(recorder.warnings[0].find("the cluster is not whole"), std::string::npos);
  EXPECT_EQ(refusal_of(request()).code(), ErrorCode::AlreadyExists);
  env.flip_bit(largest, 8 * 60'000);
  must_restore(delta());
  expect_whole();
}

/// Where a restore goes on from: nothing there; an old data directory with a tablespace.
class ClusterFaults : public ClusterRestore, public ::testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    ClusterRestore::SetUp();
    take_with_tablespaces();
    if (!GetParam()) return;
    must_restore(mapped(request()));
    spoil();
    env.write_file("/fast/PG_17_202406281/5/77", "stale");
  }
  engine::RestoreRequest wanted() const { return mapped(GetParam() ? delta() : request()); }
  engine::RestoreRequest again() const { return mapped(delta()); }
  /// What holds at any moment: what starts is whole.
  void expect_sound() {
    if (!starts()) return;
    // Until it is set aside, the old one is as it was.
    if (GetParam() && env.exists("/pgdata/base/5/99999")) return;
    expect_whole(/*with_tablespace=*/true, "/pgdata/.pv-restore-unfinished");
  }
};

INSTANTIATE_TEST_SUITE_P(From, ClusterFaults, ::testing::Values(false, true),
                         [](const auto& way) { return way.param ? "AnOldOne" : "Nothing"; });

TEST_P(ClusterFaults, NeverStartsOnHalfOfARestoreWhereverItEnds) {
  // covers F1.1, F1.2, F1.3, I12
  constexpr std::uint64_t kLosses = 4;  // For each call: a kill, and power losses of several seeds.
  const SimDisk disk = env.save();
  const std::uint64_t before = env.calls();
  must_restore(wanted());
  const std::uint64_t calls = env.calls() - before;
  for (std::uint64_t k = 0; k < kLosses * calls; ++k) {
    SCOPED_TRACE(fmt::format("k={} of {}", k, kLosses * calls));
    env.load(disk);
    env.reseed(k);
    env.crash_at_call(k / kLosses);
    vault.restore(wanted(), recorder).ignore("killed on purpose");
    k % kLosses == 0 ? env.process_restart() : env.power_loss(k);
    expect_sound();
    if (k % (kLosses * 3) < kLosses) {
      must_restore(again());
      expect_whole(/*with_tablespace=*/true);
    }
    if (HasFailure()) return;
  }
}

TEST_P(ClusterFaults, OnceDoneSurvivesAPowerLoss) {  // covers F1.2
  must_restore(wanted());
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    env.power_loss(seed);
    expect_whole(/*with_tablespace=*/true);
    EXPECT_FALSE(env.exists("/pgdata/.pv-restore-unfinished"));
  }
}

TEST_P(ClusterFaults, FailingAtAnyCallIsToldAndTheNextRunMakesItGood) {
  // covers F2.1, F2.2, F2.3, I3
  const SimDisk disk = env.save();
  for (const SimEffect effect : {SimEffect::NotDone, SimEffect::Done}) {
    std::uint64_t fired = 1;
    for (std::uint64_t k = 0; fired > 0; ++k) {
      SCOPED_TRACE(fmt::format("effect={} k={}", effect == SimEffect::Done, k));
      env.load(disk);
      const std::uint64_t before = env.faults_fired();
      env.fail_call({.call = k, .effect = effect});
      recorder = {};
      const auto report = vault.restore(wanted(), recorder);
      fired = env.faults_fired() - before;
      env.clear_faults();
      expect_sound();
      const bool told = !report || report->damaged + report->failed > 0;
      if (!told) expect_whole(/*with_tablespace=*/true);
      if (report && told) {
        EXPECT_TRUE(report->control_withheld);
      }
      must_restore(again());
      expect_whole(/*with_tablespace=*/true);
      if (HasFailure()) return;
    }
  }
}

TEST_P(ClusterFaults, ADiskThatIsFullEndsItAndMoreSpaceMakesItGood) {  // covers F2.1
  const SimDisk disk = env.save();
  for (std::uint64_t room = 0; room < 400'000; room += 20'000) {
    env.load(disk);
    env.set_capacity(1ULL << 40U);
    const std::uint64_t free_before = env.open_dir("/").value()->free_space().value();
    env.set_capacity((1ULL << 40U) - free_before + room);
    recorder = {};
    const auto report = vault.restore(wanted(), recorder);
    expect_sound();
    if (!report) {
      EXPECT_EQ(report.error().code(), ErrorCode::NoSpace) << report.error().message();
    }
    env.set_capacity(1ULL << 40U);
    must_restore(again());
    expect_whole(/*with_tablespace=*/true);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace pagevault::testing
