// Snapshots of PostgreSQL clusters by hand: a folder of the simulator's disk is backed up as files,
// and its tree becomes the root of a snapshot of kind Postgres (docs/format.md, 3).

#pragma once

#include "engine_fixture.h"
#include "pagevault/repo/write_session.h"

namespace pagevault::testing {

inline constexpr std::uint64_t kSystemIdentifier = 7'000'000'000'000'000'001;

inline repo::PostgresRecord sample_cluster() {
  repo::PostgresRecord record;
  record.system_identifier = kSystemIdentifier;
  record.major_version = 17;
  record.server_version = 170'005;
  record.catalog_version = 202'406'281;
  record.timeline = 1;
  record.start_lsn = 0x2000028;
  record.end_lsn = 0x2000158;
  record.wal_ranges = {{.timeline = 1, .start = 0x2000028, .end = 0x2000158}};
  record.block_bytes = 8'192;
  record.segment_blocks = 131'072;
  record.wal_segment_bytes = 16 * kMiB;
  record.wal_included = true;
  return record;
}

/// As pg_control begins.
inline Bytes control_file(std::uint64_t system_identifier = kSystemIdentifier) {
  Bytes out(8'192);
  store_le64(out, system_identifier);
  out[100] = std::byte{1};
  return out;
}

/// A small data directory at `root`: relations, an empty folder that must stay, WAL, settings.
inline void write_cluster(SimEnv& env, const std::string& root) {
  env.write_file(root + "/PG_VERSION", "17\n");
  env.write_file(root + "/backup_label", "START WAL LOCATION: 0/2000028\n");
  env.write_file(root + "/backup_manifest", "{ours}\n");
  env.write_file(root + "/backup_manifest.original", "{the server's}\n");
  env.write_file(root + "/base/5/PG_VERSION", "17\n");
  env.write_file(root + "/base/5/16384", text_bytes(200'000, 1));
  env.write_file(root + "/base/5/16385", random_bytes(8'192, 2));
  env.write_file(root + "/global/1260", random_bytes(8'192, 3));
  env.write_file(root + "/global/pg_control", control_file());
  env.write_file(root + "/pg_wal/000000010000000000000002", random_bytes(50'000, 4));
  env.write_file(root + "/postgresql.auto.conf", "work_mem = '8MB'\n");
  env.make_dirs(root + "/pg_tblspc");
  env.make_dirs(root + "/pg_replslot");
  env.make_dirs(root + "/pg_wal/archive_status");
}

/// Takes the folder `root` as a cluster.
inline Result<SnapshotId> take_cluster(Vault& vault, const std::string& root,
                                       const repo::PostgresRecord& record) {
  PV_TRY_ASSIGN(const auto report, vault.backup({root}));
  PV_TRY_ASSIGN(auto workspace, vault.open());
  PV_TRY_ASSIGN(repo::Snapshot snapshot, workspace->repository().read_snapshot(*report.snapshot));
  PV_TRY_ASSIGN(const repo::Entry folder, engine::find_entry(*workspace, snapshot, root));
  snapshot.kind = repo::SnapshotKind::Postgres;
  snapshot.postgres = record;
  snapshot.root = folder.map;
  snapshot.root_length = folder.info.size;
  PV_TRY_ASSIGN(const auto session, repo::WriteSession::begin(workspace->reader(), {}));
  return session->commit(std::move(snapshot));
}

}  // namespace pagevault::testing
