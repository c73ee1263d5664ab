// Base backups of PostgreSQL clusters become snapshots: hand-made ones in the simulator, so that
// every way in which they can be wrong is tried.

#include <gmock/gmock.h>

#include "cluster_vocabulary.h"
#include "pagevault/pgsupport/incremental_file.h"

namespace pagevault::testing {
namespace {

using pgsupport::ChecksumAlgorithm;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Blocks of a segment that an archive is read with, unless a parent says more.
constexpr std::uint32_t kArchiveSegment = 131'072;

class EngineCluster : public ::testing::Test {
 protected:
  EngineCluster() : vault_(env_) { EXPECT_TRUE(vault_.init()); }

  Result<engine::BackupReport> take(const engine::BackupRequest& request) {
    recorder_ = {};
    return vault_.backup(request, recorder_);
  }
  /// Lays `files` out as a plain base backup and takes it; `change` may alter the request.
  Result<engine::BackupReport> take(
      const ClusterFiles& files,
      const std::function<void(engine::BackupRequest&)>& change = nullptr) {
    write_plain(env_, "/base", files);
    engine::BackupRequest request = cluster_request(vault_, "/base");
    if (change) change(request);
    return take(request);
  }
  SnapshotId must_take(const ClusterFiles& files) {
    const auto report = take(files);
    EXPECT_TRUE(report) << report.error().message() << "\n" << recorder_.text();
    return report ? *report->snapshot : SnapshotId();
  }
  SnapshotId must_take_full(unsigned number, const ClusterFiles& files) {
    return must_take(whole_base_backup(cluster_, number, std::nullopt, files));
  }
  SnapshotId must_take_incremental(unsigned number, const ClusterFiles& files) {
    return must_take(whole_base_backup(cluster_, number, number - 1, files));
  }
  /// The backup ends with `code` and commits nothing; the last word and all of the reports.
  std::string refused(const Result<engine::BackupReport>& report, ErrorCode code) {
    EXPECT_FALSE(report);
    if (report) return "";
    EXPECT_EQ(report.error().code(), code) << report.error().message();
    return report.error().message() + "\n" + recorder_.text();
  }
  std::size_t snapshots() { return vault_.snapshots()->size(); }
  void expect_data(const SnapshotId& id, unsigned number, const ClusterFiles& files) {
    const auto found = data_of(vault_, id);
    ASSERT_TRUE(found) << found.error().message();
    EXPECT_EQ(differences(*found, data_directory(cluster_, number, files)), "");
  }
  repo::Entry entry(const SnapshotId& id, const std::string& path) {
    const auto workspace = vault_.open();
    const auto snapshot = (*workspace)->repository().read_snapshot(id);
    const auto found = engine::find_entry(**workspace, *snapshot, path);
    EXPECT_TRUE(found) << path;
    return found ? *found : repo::Entry();
  }
  repo::PostgresRecord record(const SnapshotId& id) { return *snapshot_of(vault_, id).postgres; }

  SimEnv env_;
  Vault vault_;
  PlayedCluster cluster_;
  Recorder recorder_;
};

const ClusterFiles kFiles = {{"base/5/16384", relation(6, 1)},
                             {"base/5/16384.1", relation(4, 2, 6)},
                             {"base/5/16385", relation(3, 3)},
                             {"global/1260", relation(2, 4)},
                             {"postgresql.conf", Bytes(100, std::byte{'#'})}};

/// Of a cluster with kArchiveSegment.
ClusterFiles archive_files() {
  ClusterFiles files = kFiles;
  files.erase("base/5/16384.1");
  return files;
}

/// Incremental against kFiles in which nothing has changed.
ClusterFiles unchanged_files() {
  return {{"base/5/INCREMENTAL.16384", incremental_file(6, {})},
          {"base/5/INCREMENTAL.16384.1", incremental_file(4, {})},
          {"base/5/INCREMENTAL.16385", incremental_file(3, {})},
          {"global/INCREMENTAL.1260", incremental_file(2, {})},
          {"postgresql.conf", kFiles.at("postgresql.conf")}};
}

// ---- What an incremental means --------------------------------------------------------------

TEST_F(EngineCluster, AFullBackupIsWhatTheServerHad) {
  const SnapshotId id = must_take_full(1, kFiles);
  expect_data(id, 1, kFiles);
  const repo::PostgresRecord is = record(id);
  EXPECT_EQ(is.system_identifier, cluster_.system);
  EXPECT_EQ(is.major_version, 17U);
  EXPECT_EQ(is.start_lsn, start_of_backup(1).value);
  EXPECT_EQ(is.end_lsn, start_of_backup(1).value + 0x130);
  EXPECT_EQ(is.segment_blocks, kClusterSegment);
  EXPECT_TRUE(is.data_checksums);
  EXPECT_FALSE(is.incremental);
  EXPECT_FALSE(is.wal_included);
  EXPECT_THAT(is.doubts, IsEmpty());
}

TEST_F(EngineCluster, ChangedBlocksLieOverTheParents) {
  must_take_full(1, kFiles);
  ClusterFiles files = unchanged_files();
  const std::map<std::uint32_t, Bytes> images = {{1, relation_page(91, 7)},
                                                 {3, relation_page(92, 9)}};
  files["base/5/INCREMENTAL.16384.1"] = incremental_file(4, images);
  const auto report = take(whole_base_backup(cluster_, 2, 1, files));
  ASSERT_TRUE(report) << report.error().message();
  ClusterFiles expected = kFiles;
  expected["base/5/16384.1"] = segment_after(kFiles.at("base/5/16384.1"), 4, images);
  expect_data(*report->snapshot, 2, expected);
  EXPECT_TRUE(report->cluster->incremental);
  EXPECT_EQ(report->cluster->blocks_changed, 2U);
  EXPECT_EQ(report->cluster->files_taken_over, 3U);
  EXPECT_EQ(record(*report->snapshot).blocks_changed, 2U);
}

TEST_F(EngineCluster, UnlistedBlocksBeyondTheTruncationAreZero) {
  must_take_full(1, kFiles);
  ClusterFiles files = unchanged_files();
  files["base/5/INCREMENTAL.16384"] = incremental_file(2, {{4, relation_page(5, 4)}});
  const SnapshotId id = must_take_incremental(2, files);
  Bytes expected = relation(6, 1);
  expected.resize(5 * kClusterBlock);
  std::fill(expected.begin() + 2 * kClusterBlock, expected.begin() + 4 * kClusterBlock,
            std::byte{0});
  const Bytes page = relation_page(5, 4);
  std::ranges::copy(page, expected.begin() + 4 * kClusterBlock);
  EXPECT_TRUE(data_of(vault_, id)->at("base/5/16384") == expected);
}

// A chain combined at once would bring back blocks of the full backup (D3).
TEST_F(EngineCluster, BlocksThatATruncationInBetweenTookDoNotComeBack) {
  must_take_full(1, kFiles);
  ClusterFiles files = unchanged_files();
  files["base/5/INCREMENTAL.16384"] = incremental_file(2, {});
  must_take_incremental(2, files);
  files["base/5/INCREMENTAL.16384"] = incremental_file(6, {{3, relation_page(5, 3)}});
  const SnapshotId id = must_take_incremental(3, files);
  ClusterFiles expected = kFiles;
  expected["base/5/16384"] =
      segment_after(segment_after(kFiles.at("base/5/16384"), 2, {}), 6, {{3, relation_page(5, 3)}});
  expect_data(id, 3, expected);
  EXPECT_TRUE(equal_bytes(ByteView(expected["base/5/16384"]).subspan(2 * kClusterBlock, 8192),
                          Bytes(8192)));
}

TEST_F(EngineCluster, NothingChangedSharesTheMapAndReadsNoPagesOfTheRepository) {
  const SnapshotId before = must_take_full(1, kFiles);
  const auto report = take(whole_base_backup(cluster_, 2, 1, unchanged_files()));
  ASSERT_TRUE(report) << report.error().message();
  for (const std::string path : {"base/5/16384", "base/5/16384.1", "global/1260"}) {
    EXPECT_TRUE(entry(*report->snapshot, path).map == entry(before, path).map) << path;
    EXPECT_EQ(entry(*report->snapshot, path).crc32c, entry(before, path).crc32c) << path;
  }
  EXPECT_EQ(report->cluster->files_taken_over, 4U);
  EXPECT_EQ(report->cluster->blocks_changed, 0U);
  EXPECT_LT(report->cluster->bytes_of_parent, 4'096U);  // Its folders.
}

TEST_F(EngineCluster, WhatIsNotInTheIncrementalIsGone) {
  must_take_full(1, kFiles);
  ClusterFiles files = unchanged_files();
  files.erase("base/5/INCREMENTAL.16385");
  files.erase("postgresql.conf");
  ClusterFiles expected = kFiles;
  expected.erase("base/5/16385");
  expected.erase("postgresql.conf");
  expect_data(must_take_incremental(2, files), 2, expected);
}

TEST_F(EngineCluster, AWholeFileReplacesTheParents) {
  must_take_full(1, kFiles);
  ClusterFiles files = unchanged_files();
  files.erase("base/5/INCREMENTAL.16385");
  files["base/5/16385"] = relation(5, 77);
  files["base/5/16999"] = relation(1, 78);
  ClusterFiles expected = kFiles;
  expected["base/5/16385"] = files["base/5/16385"];
  expected["base/5/16999"] = files["base/5/16999"];
  expect_data(must_take_incremental(2, files), 2, expected);
}

TEST_F(EngineCluster, ATruncationLengthBeyondTheSegmentIsOneOfTheSegment) {
  must_take_full(1, kFiles);
  ClusterFiles files = unchanged_files();
  files["base/5/INCREMENTAL.16384"] = incremental_file(1000, {{0, relation_page(5, 0)}});
  ClusterFiles expected = kFiles;
  expected["base/5/16384"] =
      segment_after(kFiles.at("base/5/16384"), kClusterSegment, {{0, relation_page(5, 0)}});
  expect_data(must_take_incremental(2, files), 2, expected);
}

TEST_F(EngineCluster, AFileOfAnIncrementalsNameElsewhereIsAFile) {
  ClusterFiles files = kFiles;
  files["base/INCREMENTAL.16384"] = Bytes(10, std::byte{1});
  files["base/5/INCREMENTAL.notes"] = Bytes(20, std::byte{2});
  expect_data(must_take_full(1, files), 1, files);
}

// ---- Which snapshot an incremental builds on ------------------------------------------------

TEST_F(EngineCluster, WithoutItsParentAnIncrementalIsRefused) {
  const auto incremental = whole_base_backup(cluster_, 3, 2, unchanged_files());
  EXPECT_THAT(refused(take(incremental), ErrorCode::WrongParent), HasSubstr("no snapshot"));
  must_take_full(1, kFiles);
  EXPECT_THAT(refused(take(incremental), ErrorCode::WrongParent),
              HasSubstr(pgsupport::to_text(start_of_backup(2))));
  EXPECT_EQ(snapshots(), 1U);
}

TEST_F(EngineCluster, AnIncrementalOfAnotherSystemOrTimelineIsRefused) {
  must_take_full(1, kFiles);
  PlayedCluster other = cluster_;
  other.system += 1;
  refused(take(whole_base_backup(other, 2, 1, unchanged_files())), ErrorCode::WrongParent);
  other = cluster_;
  other.timeline = 2;
  refused(take(whole_base_backup(other, 2, 1, unchanged_files())), ErrorCode::WrongParent);
  EXPECT_EQ(snapshots(), 1U);
}

TEST_F(EngineCluster, SwitchedPageChecksumsOrOtherSegmentsNeedAFullBackup) {
  must_take_full(1, kFiles);
  PlayedCluster other = cluster_;
  other.checksums = false;
  EXPECT_THAT(
      refused(take(whole_base_backup(other, 2, 1, unchanged_files())), ErrorCode::WrongParent),
      HasSubstr("take a full backup"));
  other = cluster_;
  other.segment_blocks = 12;
  refused(take(whole_base_backup(other, 2, 1, unchanged_files())), ErrorCode::WrongParent);
  EXPECT_EQ(snapshots(), 1U);
}

TEST_F(EngineCluster, AParentThatIsNotTheRightOneIsRefusedAndTheRightOneTaken) {
  const SnapshotId first = must_take_full(1, kFiles);
  const SnapshotId second = must_take_incremental(2, unchanged_files());
  const auto third = whole_base_backup(cluster_, 3, 2, unchanged_files());
  const auto with = [](const SnapshotId& id) {
    return [id](engine::BackupRequest& request) { request.parent = id; };
  };
  EXPECT_THAT(refused(take(third, with(first)), ErrorCode::WrongParent), HasSubstr(first.hex(8)));
  EXPECT_EQ(snapshots(), 2U);
  const auto report = take(third, with(second));
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->parent, second);
}

// An archive does not tell its system before its end; two clusters may begin at the same place.
TEST_F(EngineCluster, AnArchiveWithTwoPossibleParentsNeedsToBeToldOne) {
  const SnapshotId ours = must_take_full(1, kFiles);
  const PlayedCluster mine = cluster_;
  cluster_.system += 1;
  const SnapshotId other = must_take_full(1, kFiles);
  const Bytes archive = archive_of(whole_base_backup(mine, 2, 1, unchanged_files()));
  engine::BackupRequest request = cluster_request(vault_, "");
  request.postgres->archive = stream_of(archive);
  const std::string error = refused(take(request), ErrorCode::WrongParent);
  EXPECT_THAT(error, HasSubstr("different clusters"));
  EXPECT_THAT(error, HasSubstr(ours.hex(8)));
  request.postgres->archive = stream_of(archive);
  request.parent = other;
  refused(take(request), ErrorCode::WrongParent);
  EXPECT_EQ(snapshots(), 2U);
  request.postgres->archive = stream_of(archive);
  request.parent = ours;
  const auto report = take(request);
  ASSERT_TRUE(report) << report.error().message();
}

TEST_F(EngineCluster, AnIncrementalOfAFileThatTheParentLacksIsRefused) {
  must_take_full(1, kFiles);
  ClusterFiles files = unchanged_files();
  files["base/5/INCREMENTAL.20000"] = incremental_file(1, {});
  EXPECT_THAT(refused(take(whole_base_backup(cluster_, 2, 1, files)), ErrorCode::WrongParent),
              HasSubstr("base/5/20000"));
  EXPECT_EQ(snapshots(), 1U);
}

// ---- Damage at the door ---------------------------------------------------------------------

struct Damage {
  std::string name;
  std::string word;  ///< In what is said.
  std::function<void(ClusterFiles&)> strike;
};

ClusterFiles incremental_with_changes() {
  ClusterFiles files = unchanged_files();
  files["base/5/INCREMENTAL.16385"] = incremental_file(3, {{1, relation_page(40, 1)}});
  return files;
}

class DamagedCluster : public EngineCluster, public ::testing::WithParamInterface<Damage> {};

TEST_P(DamagedCluster, IsRefusedAndNothingIsCommitted) {  // covers F6.5
  must_take_full(1, kFiles);
  ClusterFiles files = whole_base_backup(cluster_, 2, 1, incremental_with_changes());
  GetParam().strike(files);
  EXPECT_THAT(refused(take(files), ErrorCode::Corrupt), HasSubstr(GetParam().word));
  EXPECT_EQ(snapshots(), 1U);
}

TEST_P(DamagedCluster, IsRefusedAsAnArchiveToo) {  // covers F6.5
  must_take_full(1, kFiles);
  ClusterFiles files = whole_base_backup(cluster_, 2, 1, incremental_with_changes());
  GetParam().strike(files);
  engine::BackupRequest request = cluster_request(vault_, "");
  request.postgres->archive = stream_of(archive_of(files));
  EXPECT_THAT(refused(take(request), ErrorCode::Corrupt), HasSubstr(GetParam().word));
  EXPECT_EQ(snapshots(), 1U);
}

const std::vector<Damage> kDamages = {
    {"ManifestsOwnChecksum", "backup_manifest",
     [](ClusterFiles& files) { files["backup_manifest"][60] ^= std::byte{1}; }},
    {"AFilesChecksum", "postgresql.conf",
     [](ClusterFiles& files) { files["postgresql.conf"][5] ^= std::byte{1}; }},
    {"AFilesSize", "postgresql.conf",
     [](ClusterFiles& files) { files["postgresql.conf"].pop_back(); }},
    {"AMissingFile", "postgresql.conf",
     [](ClusterFiles& files) { files.erase("postgresql.conf"); }},
    {"AMissingIncremental", "base/5/INCREMENTAL.16384",
     [](ClusterFiles& files) { files.erase("base/5/INCREMENTAL.16384"); }},
    {"AFileTooMany", "base/5/4711",
     [](ClusterFiles& files) { files["base/5/4711"] = relation(1, 5); }},
    {"ATruncatedIncremental", "INCREMENTAL.16385",
     [](ClusterFiles& files) { files["base/5/INCREMENTAL.16385"].resize(9000); }},
    {"AnIncrementalWithoutHeader", "INCREMENTAL.16385",
     [](ClusterFiles& files) { files["base/5/INCREMENTAL.16385"].resize(5); }},
    {"AnIncrementalOfAnotherKind", "INCREMENTAL.16385",
     [](ClusterFiles& files) { files["base/5/INCREMENTAL.16385"][0] ^= std::byte{1}; }},
    {"ABlockOfAnIncremental", "INCREMENTAL.16385",
     [](ClusterFiles& files) { files["base/5/INCREMENTAL.16385"][12'000] ^= std::byte{1}; }},
    {"AFileAndItsIncremental", "base/5/16385",
     [](ClusterFiles& files) { files["base/5/16385"] = relation(3, 3); }},
    {"NoControlFile", "pg_control", [](ClusterFiles& files) { files.erase("global/pg_control"); }},
    {"NoVersion", "PG_VERSION", [](ClusterFiles& files) { files.erase("PG_VERSION"); }},
    {"NoManifest", "backup_manifest", [](ClusterFiles& files) { files.erase("backup_manifest"); }},
    {"AnotherLabel", "backup_label",
     [](ClusterFiles& files) {
       files["backup_label"] = to_bytes(as_bytes(played_label({}, 9, 1)));
     }},
};

std::vector<Damage> plain_and_archived_damages() {
  std::vector<Damage> out = kDamages;
  // A folder without pg_control is refused before that, as no base backup at all.
  std::erase_if(out, [](const Damage& d) { return d.name == "NoControlFile"; });
  return out;
}

INSTANTIATE_TEST_SUITE_P(Damages, DamagedCluster, ::testing::ValuesIn(plain_and_archived_damages()),
                         [](const auto& i) { return i.param.name; });

TEST_F(EngineCluster, AnArchiveWithoutControlFileIsRefused) {
  ClusterFiles files = whole_base_backup(cluster_, 1, std::nullopt, kFiles);
  files.erase("global/pg_control");
  engine::BackupRequest request = cluster_request(vault_, "");
  request.postgres->archive = stream_of(archive_of(files));
  EXPECT_THAT(refused(take(request), ErrorCode::Corrupt), HasSubstr("pg_control"));
  EXPECT_EQ(snapshots(), 0U);
}

TEST_F(EngineCluster, AnIncrementalFileInAFullBackupIsRefused) {
  ClusterFiles files = kFiles;
  files["base/5/INCREMENTAL.20000"] = incremental_file(1, {});
  EXPECT_THAT(
      refused(take(whole_base_backup(cluster_, 1, std::nullopt, files)), ErrorCode::Corrupt),
      HasSubstr("an incremental file in a full backup"));
  EXPECT_EQ(snapshots(), 0U);
}

TEST_F(EngineCluster, AFolderThatIsNoBaseBackupSaysWhatToDo) {
  env_.write_file("/base/PG_VERSION", "17\n");
  EXPECT_THAT(refused(take(cluster_request(vault_, "/base")), ErrorCode::InvalidArgument),
              HasSubstr("pg_basebackup"));
}

/// A page with a wrong checksum in block 1 of a file, as of `lsn`.
ClusterFiles with_bad_page(pgsupport::Lsn lsn) {
  ClusterFiles files = kFiles;
  Bytes page = relation_page(50, 1, lsn);
  page[6000] ^= std::byte{1};
  std::ranges::copy(page, files["base/5/16385"].begin() + kClusterBlock);
  return files;
}

TEST_F(EngineCluster, APageDamagedBeforeTheBackupIsRefused) {  // covers F6.5
  const auto files = with_bad_page({start_of_backup(1).value - 1});
  const std::string error =
      refused(take(whole_base_backup(cluster_, 1, std::nullopt, files)), ErrorCode::Corrupt);
  EXPECT_THAT(error, HasSubstr("base/5/16385"));
  EXPECT_THAT(error, HasSubstr("block 1"));
  EXPECT_EQ(snapshots(), 0U);
}

TEST_F(EngineCluster, APageThatMayBeTornIsNoDamage) {
  const auto files = with_bad_page(start_of_backup(1));
  expect_data(must_take_full(1, files), 1, files);
}

TEST_F(EngineCluster, WithoutPageChecksumsNoPageIsDamaged) {
  cluster_.checksums = false;
  const auto files = with_bad_page({1});
  const SnapshotId id = must_take_full(1, files);
  expect_data(id, 1, files);
  EXPECT_FALSE(record(id).data_checksums);
}

TEST_F(EngineCluster, ADamagedPageInAnIncrementalIsRefused) {  // covers F6.5
  must_take_full(1, kFiles);
  ClusterFiles files = unchanged_files();
  Bytes page = relation_page(50, 8);
  page[6000] ^= std::byte{1};
  files["base/5/INCREMENTAL.16384.1"] = incremental_file(4, {{2, page}});
  const std::string error =
      refused(take(whole_base_backup(cluster_, 2, 1, files)), ErrorCode::Corrupt);
  EXPECT_THAT(error, HasSubstr("block 8"));  // Of the fork, not of the segment.
  EXPECT_EQ(snapshots(), 1U);
}

// ---- Damage that is accepted ----------------------------------------------------------------

class AcceptedDamage : public EngineCluster {
 protected:
  SnapshotId must_take_damaged(const ClusterFiles& files) {
    const auto report = take(
        files, [](engine::BackupRequest& request) { request.postgres->accept_damaged = true; });
    EXPECT_TRUE(report) << report.error().message();
    if (!report) return {};
    EXPECT_TRUE(report->incomplete);
    return *report->snapshot;
  }
  std::vector<std::string> doubts(const SnapshotId& id) {
    std::vector<std::string> out;
    for (const auto& doubt : record(id).doubts) out.push_back(doubt.path);
    return out;
  }
};

TEST_F(AcceptedDamage, MarksTheSnapshot) {
  const auto files = with_bad_page({1});
  const SnapshotId id = must_take_damaged(whole_base_backup(cluster_, 1, std::nullopt, files));
  expect_data(id, 1, files);
  EXPECT_THAT(
      record(id).doubts,
      ElementsAre(repo::PostgresDoubt{
          .kind = repo::PostgresDoubt::Kind::DamagedPages, .path = "base/5/16385", .count = 1}));
}

TEST_F(AcceptedDamage, StaysInTheNextIncrementalUntilTheFileComesWhole) {
  const auto damaged = with_bad_page({1});
  must_take_damaged(whole_base_backup(cluster_, 1, std::nullopt, damaged));
  const SnapshotId second = must_take_incremental(2, unchanged_files());
  EXPECT_THAT(doubts(second), ElementsAre("base/5/16385"));
  ClusterFiles files = unchanged_files();
  files.erase("base/5/INCREMENTAL.16385");
  files["base/5/16385"] = relation(3, 9);
  const SnapshotId third = must_take_incremental(3, files);
  EXPECT_THAT(doubts(third), IsEmpty());
}

TEST_F(AcceptedDamage, IsGoneWithTheFile) {
  must_take_damaged(whole_base_backup(cluster_, 1, std::nullopt, with_bad_page({1})));
  ClusterFiles files = unchanged_files();
  files.erase("base/5/INCREMENTAL.16385");
  EXPECT_THAT(doubts(must_take_incremental(2, files)), IsEmpty());
}

TEST_F(AcceptedDamage, OfAnIncrementalIsTheRelations) {
  must_take_full(1, kFiles);
  ClusterFiles files = whole_base_backup(cluster_, 2, 1, incremental_with_changes());
  files["base/5/INCREMENTAL.16385"][12'000] ^= std::byte{1};
  EXPECT_THAT(doubts(must_take_damaged(files)), Contains("base/5/16385"));
}

TEST_F(AcceptedDamage, OfAMissingFileIsNamed) {
  ClusterFiles files = whole_base_backup(cluster_, 1, std::nullopt, kFiles);
  files.erase("base/5/16385");
  EXPECT_THAT(doubts(must_take_damaged(files)), ElementsAre("base/5/16385"));
}

// ---- Manifests ------------------------------------------------------------------------------

TEST_F(EngineCluster, WithoutAManifestABackupIsTakenOnlyWhenAsked) {
  const ClusterFiles files = base_backup(cluster_, 1, std::nullopt, kFiles);
  EXPECT_THAT(refused(take(files), ErrorCode::Corrupt), HasSubstr("--without-manifest"));
  EXPECT_EQ(snapshots(), 0U);
  const auto report = take(
      files, [](engine::BackupRequest& request) { request.postgres->accept_no_manifest = true; });
  ASSERT_TRUE(report) << report.error().message();
  expect_data(*report->snapshot, 1, kFiles);
  EXPECT_EQ(record(*report->snapshot).end_lsn, 0U);
  EXPECT_FALSE(files_of(vault_, *report->snapshot)->contains("backup_manifest"));
}

TEST_F(EngineCluster, TheManifestOfAnIncrementalBecomesThatOfAFullBackup) {
  must_take_full(1, kFiles);
  const ClusterFiles taken = whole_base_backup(cluster_, 2, 1, incremental_with_changes());
  const ClusterFiles found = *files_of(vault_, must_take(taken));
  EXPECT_TRUE(found.at("backup_manifest.original") == taken.at("backup_manifest"));
  const auto manifest = pgsupport::parse_backup_manifest(found.at("backup_manifest"));
  ASSERT_TRUE(manifest) << manifest.error().message();
  EXPECT_EQ(manifest->system_identifier, cluster_.system);
  EXPECT_EQ(manifest->wal_ranges, std::vector{wal_of_backup(cluster_, 2)});
  ClusterFiles left = found;
  left.erase("backup_manifest");
  left.erase("backup_manifest.original");
  for (const auto& file : manifest->files) {
    ASSERT_TRUE(left.contains(file.path)) << file.path;
    EXPECT_EQ(file.size, left[file.path].size()) << file.path;
    EXPECT_EQ(file.algorithm, ChecksumAlgorithm::Crc32c);
    EXPECT_EQ(file.checksum, pgsupport::crc32c_digest(crc32c(left[file.path]))) << file.path;
    left.erase(file.path);
  }
  EXPECT_EQ(differences(left, {}), "");
}

class ClusterChecksums : public EngineCluster,
                         public ::testing::WithParamInterface<ChecksumAlgorithm> {};

TEST_P(ClusterChecksums, AreCheckedInBothShapes) {  // covers F6.5
  ClusterFiles files = whole_base_backup(cluster_, 1, std::nullopt, kFiles, GetParam());
  expect_data(must_take(files), 1, kFiles);
  engine::BackupRequest request = cluster_request(vault_, "");
  request.postgres->manifest_checksums = pgsupport::to_text(GetParam());
  request.postgres->archive = stream_of(archive_of(files));
  const auto report = take(request);
  ASSERT_TRUE(report) << report.error().message();
  files["base/5/16385"][20'000] ^= std::byte{1};  // No hint in the page: it may be torn, too.
  if (GetParam() == ChecksumAlgorithm::None) return;
  refused(take(files), ErrorCode::Corrupt);
  request.postgres->archive = stream_of(archive_of(files));
  refused(take(request), ErrorCode::Corrupt);
}

INSTANTIATE_TEST_SUITE_P(Algorithms, ClusterChecksums,
                         ::testing::Values(ChecksumAlgorithm::None, ChecksumAlgorithm::Crc32c,
                                           ChecksumAlgorithm::Sha224, ChecksumAlgorithm::Sha256,
                                           ChecksumAlgorithm::Sha384, ChecksumAlgorithm::Sha512),
                         [](const auto& i) { return std::string(pgsupport::to_text(i.param)); });

TEST_F(EngineCluster, AStreamWithOtherChecksumsThanExpectedSaysWhatToGive) {
  cluster_.segment_blocks = kArchiveSegment;
  engine::BackupRequest request = cluster_request(vault_, "");
  request.postgres->archive = stream_of(
      archive_of(whole_base_backup(cluster_, 1, std::nullopt, kFiles, ChecksumAlgorithm::Sha256)));
  EXPECT_THAT(refused(take(request), ErrorCode::Corrupt), HasSubstr("--manifest-checksums SHA256"));
  EXPECT_EQ(snapshots(), 0U);
}

// ---- Shapes ---------------------------------------------------------------------------------

/// Type, content and sizes of everything in a snapshot, by the ids of what is stored.
std::string tree_of(Vault& vault, const SnapshotId& id) {
  const auto workspace = vault.open();
  const auto snapshot = (*workspace)->repository().read_snapshot(id);
  std::string out;
  const auto visit = [&](const std::string& path, const repo::Entry& entry) -> Result<bool> {
    out += fmt::format("{} {} {} {} {}\n", path, static_cast<int>(entry.info.type),
                       entry.info.type == FileType::Directory ? 0 : entry.info.size,
                       entry.page_size, entry.crc32c.value_or(0));
    return true;
  };
  EXPECT_TRUE(engine::walk_tree(**workspace, engine::root_entry(*snapshot), "", visit));
  return out;
}

TEST_F(EngineCluster, AllShapesGiveTheSameTree) {
  PlayedCluster& cluster = cluster_;
  ClusterFiles contents = kFiles;
  contents[wal_file_of_backup(cluster, 1)] = random_bytes(30'000, 8);
  const ClusterFiles files = whole_base_backup(cluster, 1, std::nullopt, contents);
  const SnapshotId plain = must_take(files);
  std::map<std::string, SnapshotId> shapes;
  engine::BackupRequest request = cluster_request(vault_, "");
  request.postgres->archive = stream_of(archive_of(files));
  auto report = take(request);
  ASSERT_TRUE(report) << report.error().message();
  shapes["stream"] = *report->snapshot;
  ClusterFiles base;
  ClusterFiles wal;
  for (const auto& [path, bytes] : files) {
    if (path == "backup_manifest") continue;
    if (path.starts_with("pg_wal/")) {
      wal[path.substr(7)] = bytes;
    } else {
      base[path] = bytes;
    }
  }
  env_.write_file("/tars/base.tar", archive_of(base));
  env_.write_file("/tars/pg_wal.tar", archive_of(wal, /*with_folders=*/false));
  env_.write_file("/tars/backup_manifest", files.at("backup_manifest"));
  report = take(cluster_request(vault_, "/tars"));
  ASSERT_TRUE(report) << report.error().message();
  shapes["folder of archives"] = *report->snapshot;
  for (const auto& [name, id] : shapes) {
    EXPECT_EQ(tree_of(vault_, id), tree_of(vault_, plain)) << name;
    EXPECT_EQ(record(id), record(plain)) << name;
    for (const auto& [path, bytes] : contents) {
      EXPECT_TRUE(entry(id, path).map == entry(plain, path).map) << name << " " << path;
    }
    expect_data(id, 1, contents);
  }
}

TEST_F(EngineCluster, AnIncrementalAsAnArchiveIsTheSame) {
  must_take_full(1, kFiles);
  const ClusterFiles files = whole_base_backup(cluster_, 2, 1, incremental_with_changes());
  const SnapshotId plain = must_take(files);
  engine::BackupRequest request = cluster_request(vault_, "");
  request.postgres->archive = stream_of(archive_of(files));
  const auto report = take(request);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(tree_of(vault_, *report->snapshot), tree_of(vault_, plain));
}

TEST_F(EngineCluster, AnArchiveThatBreaksOffMakesNoSnapshot) {
  cluster_.segment_blocks = kArchiveSegment;
  const Bytes whole = archive_of(whole_base_backup(cluster_, 1, std::nullopt, archive_files()));
  engine::BackupRequest request = cluster_request(vault_, "");
  for (const std::size_t length :
       {std::size_t{0}, std::size_t{300}, std::size_t{512}, std::size_t{5'000}, whole.size() / 2,
        whole.size() - 1024, whole.size() - 1}) {
    SCOPED_TRACE(length);
    const Bytes part = to_bytes(ByteView(whole).first(length));
    request.postgres->archive = stream_of(part);
    EXPECT_FALSE(take(request));
    request.postgres->archive = stream_of(part, Error(ErrorCode::Io, "the pipe broke"));
    EXPECT_FALSE(take(request));
  }
  EXPECT_EQ(snapshots(), 0U);
  request.postgres->archive = stream_of(whole);
  const auto report = take(request);
  EXPECT_TRUE(report) << report.error().message();
}

TEST_F(EngineCluster, AFileTwiceInAnArchiveIsRefused) {
  must_take_full(1, kFiles);
  const ClusterFiles files = whole_base_backup(cluster_, 2, std::nullopt, kFiles);
  Bytes archive = archive_of({{"base/5/16385", kFiles.at("base/5/16385")}}, false);
  archive.resize(archive.size() - 1024);
  Bytes whole = archive_of(files);
  // After backup_label, which is one block of header and one of text.
  whole.insert(whole.begin() + 1024, archive.begin(), archive.end());
  engine::BackupRequest request = cluster_request(vault_, "");
  request.postgres->archive = stream_of(whole);
  EXPECT_THAT(refused(take(request), ErrorCode::Corrupt), HasSubstr("twice"));
  EXPECT_EQ(snapshots(), 1U);
}

// ---- What is recorded -----------------------------------------------------------------------

TEST_F(EngineCluster, IncludedWalIsTold) {
  ClusterFiles files = kFiles;
  files[wal_file_of_backup(cluster_, 1)] = random_bytes(50'000, 3);
  EXPECT_TRUE(record(must_take_full(1, files)).wal_included);
  EXPECT_FALSE(record(must_take_full(2, files)).wal_included);  // Not that of this one.
}

TEST_F(EngineCluster, TablespacesAreStoredInPlaceAndTheirPlacesRecorded) {
  const std::string inside = "PG_17_202406281/5/16500";
  ClusterFiles contents = kFiles;
  contents["pg_tblspc/16499/" + inside] = relation(4, 12);
  contents["pg_tblspc/16498/" + inside] = relation(2, 13);
  const ClusterFiles files = whole_base_backup(cluster_, 1, std::nullopt, contents);
  ClusterFiles beside = files;
  beside.erase("pg_tblspc/16499/" + inside);
  write_plain(env_, "/base", beside);
  env_.write_file("/mnt/fast disk/" + inside, contents["pg_tblspc/16499/" + inside]);
  auto links = env_.open_dir("/base/pg_tblspc");
  ASSERT_TRUE(links);
  ASSERT_TRUE((*links)->make_symlink("16499", "/mnt/fast disk"));
  const auto report = take(cluster_request(vault_, "/base"));
  ASSERT_TRUE(report) << report.error().message() << recorder_.text();
  expect_data(*report->snapshot, 1, contents);
  EXPECT_THAT(record(*report->snapshot).tablespaces,
              ElementsAre(repo::PostgresTablespace{16498, ""},
                          repo::PostgresTablespace{16499, "/mnt/fast disk"}));
}

TEST_F(EngineCluster, TablespacesInArchivesAreTheSame) {
  cluster_.segment_blocks = kArchiveSegment;
  const std::string inside = "PG_17_202406281/5/16500";
  ClusterFiles contents = archive_files();
  contents["pg_tblspc/16499/" + inside] = relation(4, 12);
  ClusterFiles all = base_backup(cluster_, 1, std::nullopt, contents);
  all["tablespace_map"] = to_bytes(as_bytes(std::string_view("16499 /mnt/fast disk\n")));
  env_.write_file("/tars/backup_manifest",
                  manifest_of(cluster_, 1, all, ChecksumAlgorithm::Crc32c));
  ClusterFiles base = all;
  base.erase("pg_tblspc/16499/" + inside);
  env_.write_file("/tars/base.tar", archive_of(base));
  env_.write_file("/tars/16499.tar",
                  archive_of({{inside, contents["pg_tblspc/16499/" + inside]}}, false));
  const auto report = take(cluster_request(vault_, "/tars"));
  ASSERT_TRUE(report) << report.error().message() << recorder_.text();
  expect_data(*report->snapshot, 1, contents);
  EXPECT_THAT(record(*report->snapshot).tablespaces,
              ElementsAre(repo::PostgresTablespace{16499, "/mnt/fast disk"}));
}

/// A WAL summary file in which relation 16385 of database 5 was truncated to `block`.
Bytes wal_summary(std::uint32_t block) {
  Bytes out;
  const auto put = [&out](std::uint32_t value) {
    out.resize(out.size() + 4);
    store_le32(MutableBytes(out).last(4), value);
  };
  put(0x652b137b);
  for (const std::uint32_t value : {1663U, 5U, 16385U, 0U, block, 0U}) put(value);
  for (int i = 0; i < 6; ++i) put(0);
  put(crc32c(out));
  return out;
}

TEST_F(EngineCluster, RelationsThatWalSummariesSayWereTruncatedAreDoubted) {
  must_take_full(1, kFiles);
  const auto name = [](std::uint64_t start, std::uint64_t end) {
    return fmt::format("/summaries/{:08X}{:016X}{:016X}.summary", 1, start, end);
  };
  const std::uint64_t middle = start_of_backup(1).value + 0x500000;
  env_.write_file(name(start_of_backup(1).value, middle), wal_summary(2));
  env_.write_file(name(middle, start_of_backup(2).value), wal_summary(0));
  const auto report = take(whole_base_backup(cluster_, 2, 1, incremental_with_changes()),
                           [](auto& request) { request.postgres->wal_summaries = "/summaries"; });
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_THAT(report->cluster->doubts, ElementsAre("base/5/16385"));
  EXPECT_THAT(
      record(*report->snapshot).doubts,
      ElementsAre(repo::PostgresDoubt{.kind = repo::PostgresDoubt::Kind::TruncatedInParentInterval,
                                      .path = "base/5/16385",
                                      .count = 0}));
  EXPECT_THAT(recorder_.warnings, ElementsAre(HasSubstr("base/5/16385: was truncated")));
}

TEST_F(EngineCluster, WalSummariesWithAGapAreTold) {
  must_take_full(1, kFiles);
  env_.write_file(fmt::format("/summaries/{:08X}{:016X}{:016X}.summary", 1,
                              start_of_backup(1).value + 0x100, start_of_backup(2).value),
                  wal_summary(0));
  const auto report = take(whole_base_backup(cluster_, 2, 1, unchanged_files()),
                           [](auto& request) { request.postgres->wal_summaries = "/summaries"; });
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_THAT(recorder_.warnings, ElementsAre(HasSubstr("does not cover")));
}

TEST_F(EngineCluster, WalSummariesOfAnotherTimelineDoNotCountAsCover) {
  must_take_full(1, kFiles);
  const auto name = [](std::uint32_t timeline, std::uint64_t start, std::uint64_t end) {
    return fmt::format("/summaries/{:08X}{:016X}{:016X}.summary", timeline, start, end);
  };
  const std::uint64_t start = start_of_backup(1).value;
  const std::uint64_t end = start_of_backup(2).value;
  env_.write_file(name(2, start, end), wal_summary(2));
  env_.write_file(name(1, start + 0x100, end), wal_summary(0));
  const auto report = take(whole_base_backup(cluster_, 2, 1, incremental_with_changes()),
                           [](auto& request) { request.postgres->wal_summaries = "/summaries"; });
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_THAT(recorder_.warnings, Contains(HasSubstr("does not cover")));
  EXPECT_THAT(report->cluster->doubts, ElementsAre("base/5/16385")) << "named all the same";
}

// ---- The repository fails while an incremental is applied -----------------------------------

class LostParent : public EngineCluster {
 protected:
  void lose_packs() {
    for (const std::string& path : env_.list_files("/repo/packs")) env_.remove(path);
  }
};

TEST_F(LostParent, AnIncrementalSaysThatAFullBackupIsNeeded) {  // covers F5.8
  must_take_full(1, kFiles);
  lose_packs();
  const auto report = take(whole_base_backup(cluster_, 2, 1, incremental_with_changes()));
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message(), HasSubstr("take a full backup"));
  EXPECT_EQ(snapshots(), 1U);
}

TEST_F(LostParent, AFullBackupGoesOnWithoutIt) {  // covers F5.8
  must_take_full(1, kFiles);
  lose_packs();
  const SnapshotId id = must_take_full(2, kFiles);
  expect_data(id, 2, kFiles);
}

// ---- Any sequence of incrementals -----------------------------------------------------------

/// A cluster with some segments, and incrementals of random changes to them.
class RandomCluster {
 public:
  RandomCluster(PlayedCluster cluster, std::uint64_t seed) : cluster_(cluster), random_(seed) {
    for (const std::string path : {"base/5/16384", "base/5/16384.1", "base/5/16385_vm",
                                   "base/5/16386_init", "global/1260"}) {
      now_[path] = relation(below(kClusterSegment) + 1, random_(), first_block(path));
    }
  }
  const ClusterFiles& now() const { return now_; }

  /// The cluster's next state, and the files of an incremental that says so.
  ClusterFiles change() {
    ClusterFiles out;
    ClusterFiles next;
    for (const auto& [path, before] : now_) change_one(path, before, out, next);
    if (below(4) == 0) {
      const std::string path = fmt::format("base/5/{}", 20'000 + below(1000));
      if (!now_.contains(path)) {
        out[path] = next[path] = relation(below(kClusterSegment) + 1, random_());
      }
    }
    now_ = next;
    return out;
  }

 private:
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_() % limit); }
  static std::uint32_t first_block(const std::string& path) {
    return pgsupport::parse_relation_file(path)->segment * kClusterSegment;
  }

  void change_one(const std::string& path, const Bytes& before, ClusterFiles& out,
                  ClusterFiles& next) {
    const auto blocks = static_cast<std::uint32_t>(before.size() / kClusterBlock);
    const std::uint32_t what = below(20);
    if (what == 0 && now_.size() > 3) return;  // Dropped.
    if (what == 1) {                           // Rewritten.
      out[path] = next[path] = relation(below(kClusterSegment + 1), random_(), first_block(path));
      return;
    }
    std::uint32_t truncation = blocks;
    std::map<std::uint32_t, Bytes> images;
    // Truncated, perhaps grown again; or extended, partly by pages that no WAL knows of.
    if (what >= 8) truncation = below(kClusterSegment + 1);
    if (what >= 4) {
      for (std::uint32_t block = 0; block < kClusterSegment; ++block) {
        if (below(3) == 0) images[block] = relation_page(random_(), first_block(path) + block);
      }
    }
    out[pgsupport::incremental_path_of(path)] = incremental_file(truncation, images);
    next[path] = segment_after(before, truncation, images);
  }

  PlayedCluster cluster_;
  std::mt19937_64 random_;
  ClusterFiles now_;
};

class AnySequence : public EngineCluster, public ::testing::WithParamInterface<std::uint64_t> {};

TEST_P(AnySequence, OfIncrementalsRestoresToWhatTheModelSays) {  // covers F8.7
  RandomCluster random(cluster_, GetParam());
  std::map<SnapshotId, std::pair<unsigned, ClusterFiles>> taken;
  taken[must_take_full(1, random.now())] = {1, random.now()};
  for (unsigned number = 2; number < 16; ++number) {
    SCOPED_TRACE(number);
    const ClusterFiles incremental = random.change();
    const SnapshotId id = must_take_incremental(number, incremental);
    ASSERT_FALSE(HasFailure());
    taken[id] = {number, random.now()};
  }
  for (const auto& [id, expected] : taken) {
    SCOPED_TRACE(expected.first);
    expect_data(id, expected.first, expected.second);
    const ClusterFiles found = *files_of(vault_, id);
    const auto manifest = pgsupport::parse_backup_manifest(found.at("backup_manifest"));
    ASSERT_TRUE(manifest) << manifest.error().message();
    for (const auto& file : manifest->files) {
      EXPECT_EQ(file.checksum, pgsupport::crc32c_digest(crc32c(found.at(file.path)))) << file.path;
    }
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, AnySequence, ::testing::Range<std::uint64_t>(1, 31));

}  // namespace
}  // namespace pagevault::testing
