// PostgreSQL records for tests: a random one from a seed, and that of the golden file
// golden/objects/v1/postgres_record.txt.

#pragma once

#include "file_map_samples.h"
#include "pagevault/repo/postgres_record.h"

namespace pagevault::repo {

inline PostgresRecord golden_postgres_record() {
  PostgresRecord record;
  record.system_identifier = 0x0102030405060708;
  record.major_version = 17;
  record.server_version = 170'005;
  record.catalog_version = 798'677;
  record.timeline = 2;
  record.start_lsn = 0x5'0000'0028;
  record.end_lsn = 0x6'0000'0000;
  record.wal_ranges = {{.timeline = 2, .start = 0x5'0080'0000, .end = 0x6'0000'0000},
                       {.timeline = 1, .start = 0x5'0000'0028, .end = 0x5'0080'0000}};
  record.block_bytes = 8'192;
  record.segment_blocks = 131'072;
  record.wal_segment_bytes = 16 * kMiB;
  record.data_checksums = true;
  record.wal_included = true;
  record.incremental = true;
  record.blocks_changed = 44;
  record.tablespaces = {{.oid = 16'394, .location = ""}, {.oid = 16'395, .location = "/srv/fast"}};
  record.doubts = {
      {.kind = PostgresDoubt::Kind::DamagedPages, .path = "base/5/16384", .count = 3},
      {.kind = PostgresDoubt::Kind::TruncatedInParentInterval, .path = "global/1260", .count = 0}};
  record.doubts_more = 1;
  return record;
}

inline std::vector<PostgresWalRange> random_wal_ranges(RandomSamples& random) {
  std::vector<PostgresWalRange> ranges;
  for (auto timeline = static_cast<std::uint32_t>(random.below(4)); timeline > 0; --timeline) {
    const std::uint64_t start = random.number(60);
    ranges.push_back({.timeline = timeline * 7, .start = start, .end = start + random.number(60)});
  }
  return ranges;
}

inline PostgresRecord random_postgres_record(RandomSamples& random) {
  PostgresRecord record;
  record.system_identifier = random.number(64);
  for (std::uint32_t* each :
       {&record.major_version, &record.server_version, &record.catalog_version, &record.timeline,
        &record.block_bytes, &record.segment_blocks, &record.wal_segment_bytes}) {
    *each = static_cast<std::uint32_t>(random.number(32));
  }
  record.start_lsn = random.number(64);
  record.end_lsn = random.number(64);
  record.wal_ranges = random_wal_ranges(random);
  for (bool* each : {&record.data_checksums, &record.from_standby, &record.wal_included,
                     &record.group_access, &record.incremental}) {
    *each = random.coin();
  }
  if (random.coin()) record.blocks_changed = random.number(64);
  for (auto i = static_cast<std::uint32_t>(random.below(5)); i > 0; --i) {
    record.tablespaces.push_back({.oid = 16'384 - 3 * i, .location = random.text(0, 60)});
  }
  for (std::uint64_t i = random.below(5); i > 0; --i) {
    record.doubts.push_back({.kind = static_cast<PostgresDoubt::Kind>(1 + random.below(3)),
                             .path = random.text(1, 40),
                             .count = random.number(64)});
  }
  record.doubts_more = random.number(64);
  return record;
}

}  // namespace pagevault::repo
