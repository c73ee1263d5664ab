// Base backups of PostgreSQL become snapshots: what is in them, against a model of the cluster, and
// what is refused at the door.

#include <set>

#include "base_backup_model.h"
#include "pagevault/pgsupport/archive_reader.h"

namespace pagevault::testing {
namespace {

class ClusterBackup : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(vault.init()); }

  engine::BackupRequest request() {
    engine::BackupRequest out = vault.request({});
    out.postgres.emplace().directory = "/backup";
    out.recorded_paths = {"/backup"};
    return out;
  }
  Result<engine::BackupReport> back_up(const engine::BackupRequest& how) {
    recorder = {};
    return vault.backup(how, recorder);
  }
  /// Takes a base backup of `cluster` and a snapshot of that.
  Result<engine::BackupReport> step(bool incremental) {
    write_backup(env, "/backup", base_backup(cluster, incremental), cluster);
    return back_up(request());
  }
  Result<Bytes> read(const SnapshotId& snapshot, const std::string& path) {
    PV_TRY_ASSIGN(auto workspace, vault.open());
    Bytes out;
    PV_TRY(engine::dump_file(*workspace, snapshot, path, [&](ByteView bytes) {
      append(out, bytes);
      return ok();
    }));
    return out;
  }
  repo::PostgresRecord record_of(const SnapshotId& snapshot) {
    return *vault.open().value()->repository().read_snapshot(snapshot)->postgres;
  }
  /// The snapshot holds the model's relations, and a manifest that fits all its files.
  void expect_cluster(const SnapshotId& snapshot) {
    for (const auto& [path, segment] : cluster.relations) {
      const auto bytes = read(snapshot, path);
      ASSERT_TRUE(bytes) << path << ": " << bytes.error().message();
      EXPECT_TRUE(equal_bytes(*bytes, segment.bytes())) << path << differing(*bytes, segment);
    }
    const auto text = read(snapshot, "backup_manifest");
    ASSERT_TRUE(text);
    const auto manifest = pgsupport::parse_backup_manifest(*text);
    ASSERT_TRUE(manifest) << manifest.error().message();
    std::set<std::string> listed;
    for (const auto& file : manifest->files) {
      listed.insert(file.path);
      const auto bytes = read(snapshot, file.path);
      ASSERT_TRUE(bytes) << file.path;
      EXPECT_EQ(file.size, bytes->size()) << file.path;
      EXPECT_EQ(file.checksum, pgsupport::crc32c_digest(crc32c(*bytes))) << file.path;
    }
    for (const auto& [path, segment] : cluster.relations)
      EXPECT_TRUE(listed.contains(path)) << path;
    EXPECT_EQ(listed.size(), cluster.relations.size() + cluster.others.size() + 3);
  }
  /// Which blocks differ, for messages.
  static std::string differing(const Bytes& bytes, const ModelSegment& segment) {
    std::string out =
        fmt::format(": {} bytes, the model has {}", bytes.size(), segment.bytes().size());
    for (std::size_t i = 0; i < segment.blocks.size() && (i + 1) * 8192 <= bytes.size(); ++i) {
      const ByteView block = ByteView(bytes).subspan(i * 8192, 8192);
      if (equal_bytes(block, segment.blocks[i])) continue;
      out += fmt::format(", block {} ({} in the model)", i,
                         is_all_zero(segment.blocks[i]) ? "zero" : "written");
    }
    return out;
  }
  void expect_refused(const Result<engine::BackupReport>& report, ErrorCode code,
                      std::size_t snapshots) {
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code(), code) << report.error().message();
    EXPECT_EQ(vault.snapshots()->size(), snapshots);
  }
  /// A cluster of some relations, in `base/5`.
  void fill() {
    cluster.extend("base/5/16384", 0, 32);
    cluster.extend("base/5/16384.1", 32, 20);
    cluster.extend("base/5/16385", 0, 3);
    cluster.extend("base/5/16385_vm", 0, 1);
    cluster.others["base/5/PG_VERSION"] = to_bytes(as_bytes("17\n"));
    cluster.others["postgresql.conf"] = text_bytes(20'000, 9);
  }

  SimEnv env;
  Vault vault{env};
  ModelCluster cluster;
  Recorder recorder;
};

TEST_F(ClusterBackup, AFullBackupIsStoredWithItsRecordAndBothManifests) {
  fill();
  const auto report = step(/*incremental=*/false);
  ASSERT_TRUE(report) << report.error().message();
  expect_cluster(*report->snapshot);
  EXPECT_TRUE(equal_bytes(*read(*report->snapshot, "backup_manifest.original"),
                          *env.read_file("/backup/backup_manifest")));
  const auto record = record_of(*report->snapshot);
  EXPECT_EQ(record.system_identifier, kSystemIdentifier);
  EXPECT_EQ(record.major_version, 17U);
  EXPECT_EQ(record.start_lsn, *cluster.last_start);
  EXPECT_EQ(record.end_lsn, *cluster.last_start + 0x100);
  EXPECT_FALSE(record.wal_included);
  EXPECT_FALSE(record.incremental);
  EXPECT_TRUE(record.doubts.empty());
}

TEST_F(ClusterBackup, AnIncrementalBecomesAFullSnapshotWithAFullLabel) {
  fill();
  ASSERT_TRUE(step(false));
  cluster.change("base/5/16384", 7);
  cluster.extend("base/5/16385", 0, 2);
  const auto report = step(true);
  ASSERT_TRUE(report) << report.error().message();
  expect_cluster(*report->snapshot);
  EXPECT_EQ(report->cluster->blocks_changed, 3U);
  EXPECT_EQ(report->cluster->files_taken_over, 2U);
  const Bytes label = *read(*report->snapshot, "backup_label");
  EXPECT_EQ(as_text(label).find("INCREMENTAL"), std::string_view::npos);
  EXPECT_TRUE(record_of(*report->snapshot).incremental);
  Recorder check;
  EXPECT_EQ(vault.check(check)->damage, 0U) << check.text();
}

TEST_F(ClusterBackup, NothingOfTheRepositoryIsReadForFilesThatDidNotChange) {
  fill();
  ASSERT_TRUE(step(false));
  const auto report = step(true);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->cluster->files_taken_over, 4U);
  EXPECT_LT(report->cluster->bytes_of_parent, 64 * kKiB);  // The parent's folders.
  expect_cluster(*report->snapshot);
}

TEST_F(ClusterBackup, BlocksBeyondATruncationAreZeroUnlessTheyAreListed) {  // D3 of the reference.
  fill();
  ASSERT_TRUE(step(false));
  cluster.truncate("base/5/16384.1", 4);
  ASSERT_TRUE(step(true));
  cluster.extend_unlogged("base/5/16384.1", 9);
  cluster.extend("base/5/16384.1", 32, 1);
  const auto report = step(true);
  ASSERT_TRUE(report) << report.error().message();
  expect_cluster(*report->snapshot);
}

TEST_F(ClusterBackup, FilesThatAreGoneAreGoneAndThoseThatComeWholeReplace) {
  fill();
  ASSERT_TRUE(step(false));
  cluster.relations.erase("base/5/16385_vm");
  ModelSegment& rewritten = cluster.relations.at("base/5/16385");
  rewritten = {};
  cluster.extend("base/5/16385", 0, 5);
  const auto report = step(true);
  ASSERT_TRUE(report) << report.error().message();
  expect_cluster(*report->snapshot);
  EXPECT_FALSE(read(*report->snapshot, "base/5/16385_vm"));
}

// Random lives of a cluster: after each step the snapshot holds what the model has. covers F8.7
TEST_F(ClusterBackup, FollowsAClusterThroughManyIncrementals) {
  for (std::uint64_t life = 0; life < 12; ++life) {
    SCOPED_TRACE(fmt::format("seed={}", life));
    std::mt19937_64 random(life);
    const auto below = [&](std::size_t n) { return static_cast<std::uint32_t>(random() % n); };
    cluster = {};
    cluster.system = kSystemIdentifier + life;
    fill();
    ASSERT_TRUE(step(false));
    for (int i = 0; i < 6; ++i) {
      for (int action = 0; action < 8; ++action) {
        const std::string path =
            std::next(cluster.relations.begin(), below(cluster.relations.size()))->first;
        ModelSegment& segment = cluster.relations.at(path);
        const auto blocks = static_cast<std::uint32_t>(segment.blocks.size());
        const std::uint32_t room = kModelGeometry.segment_blocks - blocks;
        switch (below(6)) {
          case 0:
            if (room > 0) cluster.extend(path, segment.first_block, 1 + below(room));
            break;
          case 1:
            if (room > 0) cluster.extend_unlogged(path, 1 + below(room));
            break;
          case 2:
            if (blocks > 1) cluster.truncate(path, 1 + below(blocks - 1));
            break;
          default:
            if (blocks > 0) cluster.change(path, below(blocks));
            break;
        }
      }
      const auto report = step(true);
      ASSERT_TRUE(report) << report.error().message();
      expect_cluster(*report->snapshot);
      if (HasFailure()) return;
    }
  }
}

TEST_F(ClusterBackup, ATarGivesTheSameSnapshotAsAFolder) {
  fill();
  BackupFiles files = base_backup(cluster, false);
  files["backup_manifest"] = manifest_of(files, cluster.system, *cluster.last_start);
  Bytes tar;
  const auto writer = pgsupport::ArchiveWriter::create([&](ByteView bytes) {
                        append(tar, bytes);
                        return ok();
                      }).value();
  const auto put = [&](const std::string& path) {
    pgsupport::ArchiveMember member;
    member.path = path;
    member.info.mode = 0600;
    member.info.size = files.at(path).size();
    ASSERT_TRUE(writer->begin(member));
    ASSERT_TRUE(writer->write(files.at(path)));
  };
  put("backup_label");  // As the server does: the label first, the manifest last.
  for (const auto& [path, bytes] : files) {
    if (path != "backup_label" && path != "backup_manifest") put(path);
  }
  put("backup_manifest");
  ASSERT_TRUE(writer->finish());
  const auto stream = [&](std::size_t length) {
    engine::BackupRequest out = request();
    out.postgres->directory.clear();
    out.postgres->archive = [&tar, length, at = std::size_t{0}](MutableBytes to) mutable {
      const std::size_t count = std::min({to.size(), length - at, std::size_t{5000}});
      std::copy_n(tar.begin() + static_cast<std::ptrdiff_t>(at), count, to.begin());
      at += count;
      return Result<std::size_t>(count);
    };
    // The model's segments are short, which an archive tells only at its end.
    return out;
  };
  expect_refused(back_up(stream(tar.size())), ErrorCode::Unsupported, 0);
  write_backup(env, "/backup", files, cluster);
  ASSERT_TRUE(back_up(request()));  // From here on the sizes are known from the parent.
  const auto report = back_up(stream(tar.size()));
  ASSERT_TRUE(report) << report.error().message();
  expect_cluster(*report->snapshot);
  for (const std::size_t length :
       {tar.size() / 3, tar.size() - 1024 - files.at("backup_manifest").size()}) {
    expect_refused(back_up(stream(length)), ErrorCode::Corrupt, 2);
  }
}

// ---- parents --------------------------------------------------------------------------------

TEST_F(ClusterBackup, AnIncrementalWithoutItsParentIsRefusedAndSaysWhatIsNeeded) {
  fill();
  (void)base_backup(cluster, false);
  const auto report = step(true);
  expect_refused(report, ErrorCode::WrongParent, 0);
  EXPECT_NE(report.error().message().find("begins at 0/"), std::string::npos);
}

TEST_F(ClusterBackup, AnIncrementalOfAnotherClusterOrWithOtherChecksumsIsRefused) {
  fill();
  ASSERT_TRUE(step(false));
  ModelCluster other = cluster;
  other.system += 1;
  write_backup(env, "/backup", base_backup(other, true), other);
  expect_refused(back_up(request()), ErrorCode::WrongParent, 1);
  cluster.checksums = false;
  expect_refused(step(true), ErrorCode::WrongParent, 1);
}

TEST_F(ClusterBackup, AParentThatIsNamedMustBeTheRightOne) {
  fill();
  const auto first = step(false);
  const auto second = step(true);
  ASSERT_TRUE(first && second);
  write_backup(env, "/backup", base_backup(cluster, true), cluster);
  engine::BackupRequest wrong = request();
  wrong.parent = first->snapshot;
  expect_refused(back_up(wrong), ErrorCode::WrongParent, 2);
  wrong.parent = second->snapshot;
  EXPECT_TRUE(back_up(wrong));
}

TEST_F(ClusterBackup, AnyOtherSnapshotMayBeLostButTheParent) {
  fill();
  ASSERT_TRUE(step(false));
  cluster.change("base/5/16384", 3);
  for (const std::string& path : env.list_files("/repo/packs")) env.remove(path);
  const auto report = step(true);
  ASSERT_FALSE(report);  // Its bytes are nowhere; no crash, no zeros (I3).
  EXPECT_NE(report.error().message().find("full backup"), std::string::npos)
      << report.error().message();
  cluster.relations.begin()->second.is_new = true;
  const auto full = step(false);  // Needs no parent: what is lost is stored again (F5.4, F5.8).
  ASSERT_TRUE(full) << full.error().message();
  expect_cluster(*full->snapshot);
}

// ---- damage at the door ---------------------------------------------------------------------

class DamagedClusterBackup : public ClusterBackup {
 protected:
  void SetUp() override {
    ClusterBackup::SetUp();
    fill();
    files = base_backup(cluster, false);
  }
  /// Backs up what was made of `files`; `manifest_first`: the manifest is that of the undamaged
  /// ones.
  Result<engine::BackupReport> take(const std::function<void(BackupFiles&)>& damage,
                                    bool manifest_first = true, bool accept = false) {
    BackupFiles all = files;
    if (!manifest_first) damage(all);
    const Bytes manifest = manifest_of(all, cluster.system, *cluster.last_start);
    if (manifest_first) damage(all);
    remove_folder(env, "/backup");
    if (!all.contains("backup_manifest")) all["backup_manifest"] = manifest;
    for (const auto& [path, bytes] : all) env.write_file("/backup/" + path, bytes);
    engine::BackupRequest how = request();
    how.postgres->accept_damaged = accept;
    return back_up(how);
  }
  BackupFiles files;
};

TEST_F(DamagedClusterBackup, FilesThatAreNotAsInTheManifestAreNamedAndRefused) {
  const std::vector<std::function<void(BackupFiles&)>> damages = {
      [](BackupFiles& all) { all["postgresql.conf"][5] ^= std::byte{1}; },
      [](BackupFiles& all) { all["postgresql.conf"].pop_back(); },
      [](BackupFiles& all) { all.erase("postgresql.conf"); },
      [](BackupFiles& all) { all["stray"] = Bytes(3); },
      [](BackupFiles& all) { all["base/5/16384"][100'000] ^= std::byte{1}; },
  };
  for (const auto& damage : damages) {
    expect_refused(take(damage), ErrorCode::Corrupt, 0);
    EXPECT_FALSE(recorder.source_errors.empty());
  }
  EXPECT_TRUE(take([](BackupFiles&) {}));
}

TEST_F(DamagedClusterBackup, PagesWithWrongChecksumsAreDamageUnlessTheBackupMayHaveTornThem) {
  const auto spoil = [](std::uint64_t lsn) {
    return [lsn](BackupFiles& all) {
      Bytes page = model_page(32 + 4, lsn, 77);
      page[5000] ^= std::byte{1};
      std::ranges::copy(page, all["base/5/16384.1"].begin() + 4 * 8192);
    };
  };
  expect_refused(take(spoil(*cluster.last_start - 1), false), ErrorCode::Corrupt, 0);
  ASSERT_EQ(recorder.source_errors.size(), 1U);
  EXPECT_NE(recorder.source_errors[0].find("block 36"), std::string::npos) << recorder.text();
  EXPECT_TRUE(take(spoil(*cluster.last_start), false));
}

TEST_F(DamagedClusterBackup, WhatIsAcceptedIsMarkedAndSoIsWhatBuildsOnIt) {
  const auto damage = [](BackupFiles& all) { all["base/5/16385"][9000] ^= std::byte{1}; };
  const auto report = take(damage, /*manifest_first=*/true, /*accept=*/true);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_TRUE(report->incomplete);
  ASSERT_FALSE(record_of(*report->snapshot).doubts.empty());
  EXPECT_EQ(record_of(*report->snapshot).doubts.front().path, "base/5/16385");
  cluster.change("base/5/16384", 1);
  const auto next = step(true);
  ASSERT_TRUE(next) << next.error().message();
  EXPECT_FALSE(record_of(*next->snapshot).doubts.empty());
  cluster.relations.at("base/5/16385").is_new = true;  // It comes whole: the damage is gone.
  const auto healed = step(true);
  ASSERT_TRUE(healed) << healed.error().message();
  EXPECT_TRUE(record_of(*healed->snapshot).doubts.empty());
}

TEST_F(DamagedClusterBackup, WithoutAManifestItIsTakenOnlyWhenToldTo) {
  remove_folder(env, "/backup");
  for (const auto& [path, bytes] : files) env.write_file("/backup/" + path, bytes);
  expect_refused(back_up(request()), ErrorCode::Corrupt, 0);
  engine::BackupRequest how = request();
  how.postgres->accept_no_manifest = true;
  const auto report = back_up(how);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_FALSE(read(*report->snapshot, "backup_manifest"));
}

TEST_F(DamagedClusterBackup, MalformedOrMisplacedIncrementalsAreRefused) {
  ASSERT_TRUE(take([](BackupFiles&) {}));
  cluster.change("base/5/16384", 1);
  files = base_backup(cluster, true);
  const std::string name = "base/5/INCREMENTAL.16384";
  const std::vector<std::function<void(BackupFiles&)>> damages = {
      [&](BackupFiles& all) { all[name].pop_back(); },
      [&](BackupFiles& all) { all[name].resize(12); },
      [&](BackupFiles& all) { all[name].resize(5); },
      [&](BackupFiles& all) { all[name][0] = std::byte{0}; },
      [&](BackupFiles& all) { all[name][7] = std::byte{0xFF}; },
      [&](BackupFiles& all) { append(all[name], Bytes(8192)); },
      [&](BackupFiles& all) { all["base/5/16384"] = Bytes(8192); },  // Both forms.
  };
  for (const auto& damage : damages) expect_refused(take(damage, false), ErrorCode::Corrupt, 1);
  expect_refused(take([&](BackupFiles& all) { all["base/5/INCREMENTAL.99"] = all[name]; }, false),
                 ErrorCode::WrongParent, 1);
}

TEST_F(DamagedClusterBackup, FoldersThatAreNoBaseBackupAreToldApart) {
  remove_folder(env, "/backup");
  env.write_file("/backup/PG_VERSION", "17\n");
  const auto report = back_up(request());
  expect_refused(report, ErrorCode::InvalidArgument, 0);
  EXPECT_NE(report.error().message().find("pg_basebackup"), std::string::npos);
}

// ---- faults ---------------------------------------------------------------------------------

// Every call of an incremental backup fails once: no snapshot, or one that holds the cluster, and
// the one before is untouched. covers F1.1, F2.1, F2.2, F2.3, I1, I2
TEST_F(ClusterBackup, EveryFailedCallLeavesTheOldSnapshotAndNoHalfNewOne) {
  cluster.extend("base/5/16384", 0, 32);
  cluster.extend("base/5/16385", 0, 9);
  const ModelCluster before = cluster;
  const auto first = step(false);
  ASSERT_TRUE(first);
  cluster.change("base/5/16384", 7);
  cluster.truncate("base/5/16385", 5);
  write_backup(env, "/backup", base_backup(cluster, true), cluster);
  const ModelCluster after = cluster;
  const SimDisk disk = env.save();
  std::uint64_t k = 0;
  for (std::uint64_t fired = 1; fired > 0; ++k) {
    SCOPED_TRACE(fmt::format("k={}", k));
    env.load(disk);
    const std::uint64_t fired_before = env.faults_fired();
    env.fail_call(k, ErrorCode::Io);
    const auto report = back_up(request());
    fired = env.faults_fired() - fired_before;
    env.clear_faults();
    const auto snapshots = vault.snapshots();
    ASSERT_TRUE(snapshots);
    ASSERT_EQ(snapshots->front(), *first->snapshot);
    if (report) {
      ASSERT_EQ(snapshots->size(), 2U);
    }
    cluster = before;
    for (const auto& [path, segment] : before.relations) {
      ASSERT_TRUE(equal_bytes(*read(snapshots->front(), path), segment.bytes())) << path;
    }
    cluster = after;
    if (snapshots->size() == 2) expect_cluster(snapshots->back());
    if (HasFailure()) return;
  }
  EXPECT_GT(k, 100U);
}

}  // namespace
}  // namespace pagevault::testing
