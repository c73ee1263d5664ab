// A PostgreSQL cluster in memory, and base backups of it as a server would write them: full ones
// and incrementals, in the plain format of a simulated machine.

#pragma once

#include <map>
#include <random>

#include "cluster_snapshots.h"
#include "engine_fixture.h"
#include "pagevault/base/codec.h"
#include "pagevault/base/crc32c.h"
#include "pagevault/pgsupport/backup_manifest.h"
#include "pagevault/pgsupport/incremental_file.h"
#include "pagevault/pgsupport/page_check.h"

namespace pagevault::testing {

/// Segments are short, so that relations of some blocks have several.
inline constexpr pgsupport::RelationGeometry kModelGeometry{.block_bytes = 8192,
                                                            .segment_blocks = 32};

/// pg_control of PostgreSQL 17 with what the engine looks at.
inline Bytes model_control(std::uint64_t system, bool checksums) {
  Bytes out(8192);
  const MutableBytes to(out);
  store_le64(to, system);
  store_le32(to.subspan(8), 1700);
  store_le32(to.subspan(12), 202406281);
  store_le32(to.subspan(16), 6);
  store_le32(to.subspan(48), 1);
  store_le32(to.subspan(216), kModelGeometry.block_bytes);
  store_le32(to.subspan(220), kModelGeometry.segment_blocks);
  store_le32(to.subspan(224), 8192);
  store_le32(to.subspan(228), 16 * kMiB);
  store_le32(to.subspan(252), checksums ? 1 : 0);
  store_le32(to.subspan(288), crc32c(ByteView(out).first(288)));
  return out;
}

/// A page with text in it, of the given LSN, with its checksum.
inline Bytes model_page(std::uint32_t block, std::uint64_t lsn, std::uint64_t seed) {
  Bytes page = text_bytes(8192, seed);
  const MutableBytes to(page);
  store_le32(to, static_cast<std::uint32_t>(lsn >> 32));
  store_le32(to.subspan(4), static_cast<std::uint32_t>(lsn));
  store_le16(to.subspan(8), 0);
  store_le16(to.subspan(10), 0);
  store_le16(to.subspan(12), 400);
  store_le16(to.subspan(14), 8000);
  store_le16(to.subspan(16), 8192);
  store_le16(to.subspan(18), 0x2004);
  store_le16(to.subspan(8), pgsupport::page_checksum(page, block));
  return page;
}

/// One relation segment: its blocks, and what changed since the last backup.
struct ModelSegment {
  std::uint32_t first_block = 0;  ///< In its fork.
  std::vector<Bytes> blocks;
  std::set<std::uint32_t> changed = {};     ///< Written with WAL.
  std::optional<std::uint32_t> limit = {};  ///< Shortest it has been.
  bool is_new = true;                       ///< Comes whole next time.

  Bytes bytes() const {
    Bytes out;
    for (const Bytes& block : blocks) append(out, block);
    return out;
  }
};

struct ModelCluster {
  std::uint64_t system = kSystemIdentifier;
  bool checksums = true;
  std::uint64_t lsn = 0x1000028;
  std::optional<std::uint64_t> last_start = {};
  std::map<std::string, ModelSegment> relations = {};
  std::map<std::string, Bytes> others = {};
  std::uint64_t seed = 1;

  void extend(const std::string& path, std::uint32_t first_block, std::uint32_t count) {
    ModelSegment& segment = relations[path];
    segment.first_block = first_block;
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto block = static_cast<std::uint32_t>(segment.blocks.size());
      segment.blocks.push_back(model_page(first_block + block, ++lsn, ++seed));
      segment.changed.insert(block);
    }
  }
  void change(const std::string& path, std::uint32_t block) {
    ModelSegment& segment = relations.at(path);
    segment.blocks.at(block) = model_page(segment.first_block + block, ++lsn, ++seed);
    segment.changed.insert(block);
  }
  void truncate(const std::string& path, std::uint32_t count) {
    ModelSegment& segment = relations.at(path);
    segment.blocks.resize(count);
    segment.limit = std::min(segment.limit.value_or(count), count);
    segment.changed.erase(segment.changed.lower_bound(count), segment.changed.end());
  }
  /// Bulk extension: zero pages without WAL.
  void extend_unlogged(const std::string& path, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) relations.at(path).blocks.emplace_back(8192);
  }
};

/// One file of a base backup.
using BackupFiles = std::map<std::string, Bytes>;

inline Bytes incremental_of(const ModelSegment& segment) {
  Encoder out;
  out.u32(0xd3ae1f0d);
  out.u32(static_cast<std::uint32_t>(segment.changed.size()));
  // What a server without the defect D2 would send: the shorter of length and limit.
  const auto length = static_cast<std::uint32_t>(segment.blocks.size());
  out.u32(std::min(length, segment.limit.value_or(length)));
  for (const std::uint32_t block : segment.changed) out.u32(block);
  while (!segment.changed.empty() && out.size() % 8192 != 0) out.u8(0);
  for (const std::uint32_t block : segment.changed) out.raw(segment.blocks[block]);
  return out.take();
}

inline Bytes manifest_of(const BackupFiles& files, std::uint64_t system, std::uint64_t start) {
  Bytes out;
  pgsupport::ManifestWriter writer(system, [&](ByteView bytes) {
    append(out, bytes);
    return ok();
  });
  for (const auto& [path, bytes] : files) {
    EXPECT_TRUE(writer.add({.path = path,
                            .size = bytes.size(),
                            .last_modified = "2026-11-27 12:00:00 GMT",
                            .algorithm = pgsupport::ChecksumAlgorithm::Crc32c,
                            .checksum = pgsupport::crc32c_digest(crc32c(bytes))}));
  }
  EXPECT_TRUE(writer.finish({{{1}, {start}, {start + 0x100}}}));
  return out;
}

/// A base backup of the cluster as it is, without manifest; afterwards nothing has changed since
/// it.
inline BackupFiles base_backup(ModelCluster& cluster, bool incremental) {
  BackupFiles out = cluster.others;
  cluster.lsn += 0x1000;
  const std::uint64_t start = cluster.lsn;
  std::string label = fmt::format(
      "START WAL LOCATION: 0/{:X} (file {})\nCHECKPOINT LOCATION: 0/{:X}\nBACKUP METHOD: streamed\n"
      "BACKUP FROM: primary\nSTART TIME: now\nLABEL: test\nSTART TIMELINE: 1\n",
      start, pgsupport::wal_segment_name({1}, {start}, 16 * kMiB), start);
  if (incremental) {
    label +=
        fmt::format("INCREMENTAL FROM LSN: 0/{:X}\nINCREMENTAL FROM TLI: 1\n", *cluster.last_start);
  }
  out["backup_label"] = to_bytes(as_bytes(label));
  out["PG_VERSION"] = to_bytes(as_bytes("17\n"));
  out["global/pg_control"] = model_control(cluster.system, cluster.checksums);
  for (auto& [path, segment] : cluster.relations) {
    if (incremental && !segment.is_new) {
      // One number says both how long a segment is and how short it was: zero pages at its end that
      // were added without WAL after a truncation are lost, and recovery does not miss them.
      if (segment.limit) {
        const std::uint32_t last = segment.changed.empty() ? 0 : *segment.changed.rbegin() + 1;
        segment.blocks.resize(
            std::min(segment.blocks.size(), std::size_t{std::max(last, *segment.limit)}));
      }
      out[pgsupport::incremental_path_of(path)] = incremental_of(segment);
    } else {
      out[path] = segment.bytes();
    }
    segment.changed.clear();
    segment.limit.reset();
    segment.is_new = false;
  }
  cluster.last_start = start;
  return out;
}

inline void remove_folder(SimEnv& env, const std::string& root) {
  if (env.open_dir(root)) env.remove(root);
}

/// With its manifest, below `root`, which is emptied before.
inline void write_backup(SimEnv& env, const std::string& root, BackupFiles files,
                         const ModelCluster& cluster) {
  remove_folder(env, root);
  files["backup_manifest"] = manifest_of(files, cluster.system, *cluster.last_start);
  for (const auto& [path, bytes] : files) env.write_file(root + "/" + path, bytes);
  env.advance_time(1'000'000'000);
}

}  // namespace pagevault::testing
