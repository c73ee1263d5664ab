#include "cluster_record.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace pagevault::engine {

namespace {

constexpr std::uint32_t kOldestMajor = 13;
constexpr std::size_t kDoubtsKept = 4096;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

std::string manifest_time(std::int64_t ns) {
  const std::int64_t floor = ns >= 0 ? ns : ns - (kNsPerSecond - 1);
  return fmt::format("{:%Y-%m-%d %H:%M:%S} GMT",
                     fmt::gmtime(static_cast<std::time_t>(floor / kNsPerSecond)));
}

Error corrupt(std::string text) { return {ErrorCode::Corrupt, std::move(text)}; }

// Written by restores or by `pg_basebackup -R`, after the manifest was made.
bool is_in_no_manifest(std::string_view path) {
  return path.starts_with("pg_wal/") || path == "recovery.signal" || path == "standby.signal";
}

}  // namespace

Result<std::uint32_t> parse_version_file(std::string_view text) {
  std::uint32_t major = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), major);
  const bool whole = error == std::errc() && (end == text.data() + text.size() || *end == '\n');
  if (!whole) return corrupt("PG_VERSION: no version of PostgreSQL from 10 on");
  if (major < kOldestMajor) {
    return Error(ErrorCode::Unsupported,
                 fmt::format("PostgreSQL {} has no backup manifests; {} is the oldest version that "
                             "`backup postgres` takes",
                             major, kOldestMajor));
  }
  return major;
}

Status agree(const pgsupport::ControlFile& control,
             const std::optional<pgsupport::BackupManifest>& manifest,
             const ClusterPreview& preview, const repo::PostgresRecord& assumed) {
  const auto differs = [&](const std::optional<std::uint64_t>& system) {
    return system && *system != control.system_identifier;
  };
  if (differs(preview.system_identifier) || (manifest && differs(manifest->system_identifier))) {
    return corrupt("manifest and pg_control are of different clusters");
  }
  const bool as_assumed = control.block_bytes == assumed.block_bytes &&
                          control.segment_blocks == assumed.segment_blocks;
  if (as_assumed) return ok();
  return Error(ErrorCode::Unsupported,
               fmt::format("the cluster has blocks of {} bytes and segments of {} blocks, which an "
                           "archive tells only at its end; take it as a plain folder, or with "
                           "--connect",
                           control.block_bytes, control.segment_blocks));
}

Status agree_with_parent(const pgsupport::ControlFile& control,
                         const repo::PostgresRecord& parent) {
  if (control.system_identifier != parent.system_identifier) {
    return Error(ErrorCode::WrongParent,
                 fmt::format("the backup is of system {}, its parent snapshot of system {}",
                             control.system_identifier, parent.system_identifier));
  }
  const bool same_sizes =
      control.block_bytes == parent.block_bytes && control.segment_blocks == parent.segment_blocks;
  const bool same_checksums = (control.data_checksum_version != 0) == parent.data_checksums;
  if (same_sizes && same_checksums) return ok();
  return Error(ErrorCode::WrongParent,
               fmt::format("{} since the parent backup, which changes pages without a trace in the "
                           "WAL; take a full backup",
                           same_sizes ? "page checksums were switched" : "block sizes changed"));
}

void fill_record(repo::PostgresRecord& record, const ClusterFacts& facts) {
  record.system_identifier = facts.control.system_identifier;
  record.major_version = facts.major_version;
  record.catalog_version = facts.control.catalog_version;
  record.timeline = facts.label.start.timeline.value;
  record.start_lsn = facts.label.start.lsn.value;
  record.block_bytes = facts.control.block_bytes;
  record.segment_blocks = facts.control.segment_blocks;
  record.wal_segment_bytes = facts.control.wal_segment_bytes;
  record.data_checksums = facts.control.data_checksum_version != 0;
  record.from_standby = facts.label.from_standby;
  if (facts.manifest != nullptr) {
    for (const auto& range : facts.manifest->wal_ranges) {
      record.wal_ranges.push_back(
          {.timeline = range.timeline.value, .start = range.start.value, .end = range.end.value});
    }
  } else if (facts.end) {
    record.wal_ranges.push_back({.timeline = facts.end->timeline.value,
                                 .start = record.start_lsn,
                                 .end = facts.end->lsn.value});
  }
  record.end_lsn = record.wal_ranges.empty() ? 0 : record.wal_ranges.front().end;
  for (const auto& [oid, location] : facts.tablespaces) {
    record.tablespaces.push_back({.oid = oid, .location = location});
  }
}

void set_doubts(repo::PostgresRecord& record, std::vector<repo::PostgresDoubt> doubts) {
  if (doubts.size() > kDoubtsKept) {
    record.doubts_more = doubts.size() - kDoubtsKept;
    doubts.resize(kDoubtsKept);
  }
  record.doubts = std::move(doubts);
}

bool holds_wal(const ClusterTree& tree, const repo::PostgresRecord& record) {
  const std::uint64_t segment = record.wal_segment_bytes;
  for (const auto& range : record.wal_ranges) {
    const std::uint64_t end = range.end > range.start ? range.end - 1 : range.start;
    for (std::uint64_t at = range.start / segment; at <= end / segment; ++at) {
      const std::string name = pgsupport::wal_segment_name(
          {range.timeline}, pgsupport::Lsn{at * segment}, record.wal_segment_bytes);
      if (!tree.contains("pg_wal/" + name)) return false;
    }
  }
  return !record.wal_ranges.empty();
}

Result<Bytes> generated_manifest(const ClusterTree& tree, const pgsupport::BackupManifest& original,
                                 const pgsupport::ControlFile& control) {
  Bytes out;
  const auto system =
      original.version >= 2 ? std::optional(control.system_identifier) : std::nullopt;
  pgsupport::ManifestWriter writer(system, [&out](ByteView bytes) {
    append(out, bytes);
    return ok();
  });
  PV_TRY(tree.visit_files([&](const std::string& path, const repo::Entry& entry) -> Status {
    if (is_in_no_manifest(path)) return ok();
    PV_CHECK(entry.crc32c.has_value());
    return writer.add({.path = path,
                       .size = entry.info.size,
                       .last_modified = manifest_time(entry.info.mtime_ns),
                       .algorithm = pgsupport::ChecksumAlgorithm::Crc32c,
                       .checksum = pgsupport::crc32c_digest(*entry.crc32c)});
  }));
  PV_TRY(writer.finish(original.wal_ranges));
  return out;
}

Status count_files(const ClusterTree& tree, ParentTree& parent, repo::SnapshotStats& stats) {
  return tree.visit_files([&](const std::string& path, const repo::Entry& entry) -> Status {
    ++stats.files;
    stats.bytes_source += entry.info.size;
    PV_TRY_ASSIGN(const repo::Entry* const before, parent.find(path));
    if (before == nullptr) {
      ++stats.files_new;
    } else if (before->map == entry.map && before->info.size == entry.info.size) {
      ++stats.files_unmodified;
    } else {
      ++stats.files_changed;
    }
    return ok();
  });
}

}  // namespace pagevault::engine
