// Base backups of PostgreSQL clusters by hand: files with valid checksums and a manifest, as a
// folder or as archives, and what an incremental means, said without the code under test.

#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "engine_fixture.h"
#include "pagevault/base/codec.h"
#include "pagevault/base/crc32c.h"
#include "pagevault/pgsupport/archive_reader.h"
#include "pagevault/pgsupport/backup_manifest.h"
#include "pagevault/pgsupport/page_check.h"
#include "pagevault/pgsupport/relation_files.h"

namespace pagevault::testing {

inline constexpr std::uint32_t kClusterBlock = 8192;
inline constexpr std::uint32_t kClusterSegment = 6;  ///< Blocks.
inline constexpr std::uint32_t kClusterWalSegment = 1024 * 1024;

/// By path in the data directory, or in the base backup.
using ClusterFiles = std::map<std::string, Bytes>;

/// What all base backups of one cluster share.
struct PlayedCluster {
  std::uint64_t system = 7'000'000'000'000'000'077;
  bool checksums = true;
  std::uint32_t timeline = 1;
  std::uint32_t segment_blocks = kClusterSegment;
  std::uint32_t control_version = 1700;
};

/// Where the WAL of the cluster's backup `number` begins.
inline pgsupport::Lsn start_of_backup(unsigned number) {
  return {std::uint64_t{number} * 0x1000000 + 0x28};
}
inline pgsupport::WalRange wal_of_backup(const PlayedCluster& cluster, unsigned number) {
  return {.timeline = {cluster.timeline},
          .start = start_of_backup(number),
          .end = {start_of_backup(number).value + 0x130}};
}
inline std::string wal_file_of_backup(const PlayedCluster& cluster, unsigned number) {
  return "pg_wal/" + pgsupport::wal_segment_name({cluster.timeline}, start_of_backup(number),
                                                 kClusterWalSegment);
}

/// A page as block `block` of its fork, last changed at `lsn`; a quarter of it is random.
inline Bytes relation_page(std::uint64_t seed, std::uint32_t block, pgsupport::Lsn lsn = {0x1000}) {
  Bytes page(kClusterBlock);
  const Bytes noise = random_bytes(kClusterBlock / 4, seed);
  std::copy(noise.begin(), noise.end(), page.begin() + kClusterBlock / 2);
  const MutableBytes at(page);
  store_le32(at, static_cast<std::uint32_t>(lsn.value >> 32));
  store_le32(at.subspan(4), static_cast<std::uint32_t>(lsn.value));
  store_le16(at.subspan(12), 24);
  store_le16(at.subspan(14), kClusterBlock / 2);
  store_le16(at.subspan(16), kClusterBlock);
  store_le16(at.subspan(18), 0x2004);
  store_le16(at.subspan(8), pgsupport::page_checksum(page, block));
  return page;
}

/// Blocks of a segment, the first of which is `first_block` of the fork.
inline Bytes relation(std::uint32_t blocks, std::uint64_t seed, std::uint32_t first_block = 0) {
  Bytes out;
  for (std::uint32_t i = 0; i < blocks; ++i) {
    append(out, relation_page(seed * 1000 + i, first_block + i));
  }
  return out;
}

inline Bytes played_control(const PlayedCluster& cluster, unsigned number) {
  Bytes out(8192);
  const MutableBytes at(out);
  store_le64(at, cluster.system);
  store_le32(at.subspan(8), cluster.control_version);
  store_le32(at.subspan(12), 202'406'281);
  store_le32(at.subspan(16), 6);
  store_le64(at.subspan(32), start_of_backup(number).value + 0x38);
  store_le64(at.subspan(40), start_of_backup(number).value);
  store_le32(at.subspan(48), cluster.timeline);
  store_le32(at.subspan(216), kClusterBlock);
  store_le32(at.subspan(220), cluster.segment_blocks);
  store_le32(at.subspan(228), kClusterWalSegment);
  store_le32(at.subspan(252), cluster.checksums ? 1 : 0);
  store_le32(at.subspan(288), crc32c(ByteView(out).first(288)));
  return out;
}

inline std::string played_label(const PlayedCluster& cluster, unsigned number,
                                std::optional<unsigned> from = std::nullopt) {
  const pgsupport::Lsn start = start_of_backup(number);
  std::string out = fmt::format(
      "START WAL LOCATION: {} (file {})\nCHECKPOINT LOCATION: {}\nBACKUP METHOD: streamed\n"
      "BACKUP FROM: primary\nSTART TIME: 2023-11-14 22:13:20 GMT\nLABEL: played\n"
      "START TIMELINE: {}\n",
      pgsupport::to_text(start),
      pgsupport::wal_segment_name({cluster.timeline}, start, kClusterWalSegment),
      pgsupport::to_text(pgsupport::Lsn{start.value + 0x38}), cluster.timeline);
  if (from) {
    out += fmt::format("INCREMENTAL FROM LSN: {}\nINCREMENTAL FROM TLI: {}\n",
                       pgsupport::to_text(start_of_backup(*from)), cluster.timeline);
  }
  return out;
}

/// The cluster's data directory with these relation files and other files in it.
inline ClusterFiles data_directory(const PlayedCluster& cluster, unsigned number,
                                   const ClusterFiles& files) {
  ClusterFiles out = files;
  out["PG_VERSION"] = to_bytes(as_bytes(std::string_view("17\n")));
  out["backup_label"] = to_bytes(as_bytes(played_label(cluster, number)));
  out["global/pg_control"] = played_control(cluster, number);
  return out;
}

/// The base backup `number`, without a manifest; `from`: an incremental against that one.
inline ClusterFiles base_backup(const PlayedCluster& cluster, unsigned number,
                                std::optional<unsigned> from, const ClusterFiles& files) {
  ClusterFiles out = data_directory(cluster, number, files);
  out["backup_label"] = to_bytes(as_bytes(played_label(cluster, number, from)));
  return out;
}

inline Bytes manifest_of(const PlayedCluster& cluster, unsigned number, const ClusterFiles& files,
                         pgsupport::ChecksumAlgorithm algorithm) {
  Bytes out;
  pgsupport::ManifestWriter writer(cluster.system, [&out](ByteView bytes) {
    append(out, bytes);
    return ok();
  });
  for (const auto& [path, bytes] : files) {
    if (path.starts_with("pg_wal/") || path == "backup_manifest") continue;
    pgsupport::FileChecksum checksum(algorithm);
    checksum.update(bytes);
    EXPECT_TRUE(writer.add({.path = path,
                            .size = bytes.size(),
                            .last_modified = "2023-11-14 22:13:20 GMT",
                            .algorithm = algorithm,
                            .checksum = checksum.finish()}));
  }
  EXPECT_TRUE(writer.finish({wal_of_backup(cluster, number)}));
  return out;
}

/// As base_backup, with its manifest.
inline ClusterFiles whole_base_backup(
    const PlayedCluster& cluster, unsigned number, std::optional<unsigned> from,
    const ClusterFiles& files,
    pgsupport::ChecksumAlgorithm algorithm = pgsupport::ChecksumAlgorithm::Crc32c) {
  ClusterFiles out = base_backup(cluster, number, from, files);
  out["backup_manifest"] = manifest_of(cluster, number, out, algorithm);
  return out;
}

/// An INCREMENTAL file as a server writes it.
inline Bytes incremental_file(std::uint32_t truncation_blocks,
                              const std::map<std::uint32_t, Bytes>& images) {
  Bytes out(12 + 4 * images.size());
  const MutableBytes at(out);
  store_le32(at, 0xd3ae1f0d);
  store_le32(at.subspan(4), static_cast<std::uint32_t>(images.size()));
  store_le32(at.subspan(8), truncation_blocks);
  std::size_t i = 0;
  for (const auto& [block, image] : images) store_le32(at.subspan(12 + 4 * i++), block);
  if (!images.empty()) out.resize((out.size() + kClusterBlock - 1) / kClusterBlock * kClusterBlock);
  for (const auto& [block, image] : images) append(out, image);
  return out;
}

/// What a segment is after an incremental, block by block: the image if there is one, what was
/// there below the truncation, else zeros.
inline Bytes segment_after(const Bytes& before, std::uint32_t truncation_blocks,
                           const std::map<std::uint32_t, Bytes>& images) {
  const std::uint32_t listed = images.empty() ? 0 : images.rbegin()->first + 1;
  Bytes out;
  for (std::uint32_t block = 0; block < std::max(truncation_blocks, listed); ++block) {
    const std::size_t begin = std::size_t{block} * kClusterBlock;
    if (const auto image = images.find(block); image != images.end()) {
      append(out, image->second);
    } else if (block < truncation_blocks && begin + kClusterBlock <= before.size()) {
      append(out, ByteView(before).subspan(begin, kClusterBlock));
    } else {
      out.resize(out.size() + kClusterBlock);
    }
  }
  return out;
}

/// Parents of all files, outermost first.
inline std::set<std::string> folders_of(const ClusterFiles& files) {
  std::set<std::string> out = {"base", "pg_tblspc", "pg_wal"};
  for (const auto& [path, bytes] : files) {
    for (std::size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
      out.insert(path.substr(0, at));
    }
  }
  return out;
}

inline void write_plain(SimEnv& env, const std::string& root, const ClusterFiles& files) {
  if (env.exists(root)) env.remove(root);
  for (const std::string& folder : folders_of(files)) env.make_dirs(root + "/" + folder);
  for (const auto& [path, bytes] : files) env.write_file(root + "/" + path, bytes);
}

/// As pg_basebackup -Ft: backup_label first, pg_control last, but for the manifest. Modes as the
/// simulator's.
inline Bytes archive_of(const ClusterFiles& files, bool with_folders = true) {
  Bytes out;
  auto writer = std::move(*pgsupport::ArchiveWriter::create([&out](ByteView bytes) {
    append(out, bytes);
    return ok();
  }));
  const auto add = [&](const std::string& path, FileType type, const Bytes& bytes) {
    pgsupport::ArchiveMember member;
    member.path = path;
    member.info.type = type;
    member.info.mode = type == FileType::Directory ? 0755 : 0644;
    member.info.size = bytes.size();
    member.info.mtime_ns = 1'700'000'000'000'000'000;
    EXPECT_TRUE(writer->begin(member));
    EXPECT_TRUE(writer->write(bytes));
  };
  const std::array<std::string, 3> placed = {"backup_label", "global/pg_control",
                                             "backup_manifest"};
  const auto add_placed = [&](const std::string& path) {
    if (files.contains(path)) add(path, FileType::Regular, files.at(path));
  };
  add_placed(placed[0]);
  if (with_folders) {
    for (const std::string& folder : folders_of(files)) add(folder, FileType::Directory, {});
  }
  for (const auto& [path, bytes] : files) {
    if (std::ranges::find(placed, path) == placed.end()) add(path, FileType::Regular, bytes);
  }
  add_placed(placed[1]);
  add_placed(placed[2]);
  EXPECT_TRUE(writer->finish());
  return out;
}

/// Gives `bytes` in pieces; then `after`.
inline engine::StreamSource stream_of(Bytes bytes, Status after = ok()) {
  auto at = std::make_shared<std::size_t>(0);
  auto held = std::make_shared<const Bytes>(std::move(bytes));
  return [at, held, after](MutableBytes out) -> Result<std::size_t> {
    const std::size_t count = std::min({out.size(), held->size() - *at, std::size_t{70'001}});
    if (count == 0 && !after) return after.error();
    std::copy_n(held->begin() + static_cast<std::ptrdiff_t>(*at), count, out.begin());
    *at += count;
    return count;
  };
}

inline engine::BackupRequest cluster_request(const Vault& vault, const std::string& directory) {
  engine::BackupRequest request = vault.request({});
  request.recorded_paths = {"/pgdata"};
  request.postgres.emplace();
  request.postgres->directory = directory;
  return request;
}

inline repo::Snapshot snapshot_of(Vault& vault, const SnapshotId& id) {
  const auto workspace = vault.open();
  EXPECT_TRUE(workspace);
  auto snapshot = (*workspace)->repository().read_snapshot(id);
  EXPECT_TRUE(snapshot) << snapshot.error().message();
  return snapshot ? std::move(*snapshot) : repo::Snapshot();
}

/// Every file of a snapshot, as its chunks say.
inline Result<ClusterFiles> files_of(Vault& vault, const SnapshotId& id) {
  PV_TRY_ASSIGN(const auto workspace, vault.open());
  PV_TRY_ASSIGN(const repo::Snapshot snapshot, workspace->repository().read_snapshot(id));
  ClusterFiles out;
  const auto visit = [&](const std::string& path, const repo::Entry& entry) -> Result<bool> {
    if (entry.info.type != FileType::Regular) return true;
    const std::string name = path.starts_with('/') ? path.substr(1) : path;
    Bytes& bytes = out[name];
    PV_TRY(engine::dump_file(*workspace, id, name, [&](ByteView piece) {
      append(bytes, piece);
      return ok();
    }));
    return true;
  };
  PV_TRY(engine::walk_tree(*workspace, engine::root_entry(snapshot), "", visit));
  return out;
}

/// The same, without the two manifests.
inline Result<ClusterFiles> data_of(Vault& vault, const SnapshotId& id) {
  PV_TRY_ASSIGN(ClusterFiles out, files_of(vault, id));
  out.erase("backup_manifest");
  out.erase("backup_manifest.original");
  return out;
}

/// Where two trees differ, one line each.
inline std::string differences(const ClusterFiles& found, const ClusterFiles& expected) {
  std::string out;
  for (const auto& [path, bytes] : expected) {
    const auto other = found.find(path);
    if (other == found.end()) {
      out += path + ": missing\n";
    } else if (other->second != bytes) {
      const auto at = std::ranges::mismatch(other->second, bytes).in2 - bytes.begin();
      out += fmt::format("{}: {} bytes instead of {}, the first difference at {}\n", path,
                         other->second.size(), bytes.size(), at);
    }
  }
  for (const auto& [path, bytes] : found) {
    if (!expected.contains(path)) out += path + ": should not be there\n";
  }
  return out;
}

}  // namespace pagevault::testing
