#include "cluster_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "human_numbers.h"
#include "json_text.h"
#include "pagevault/pgsupport/lsn.h"

namespace pagevault::cli {
namespace {

constexpr std::size_t kDoubtsNamed = 100;

constexpr std::uint32_t kVersionFactor = 10'000;  // 170005 is 17.5, from PostgreSQL 10 on.

std::string_view kind_text(repo::PostgresDoubt::Kind kind) {
  using Kind = repo::PostgresDoubt::Kind;
  switch (kind) {
    case Kind::DamagedPages:
      return "damaged_pages";
    case Kind::TruncatedInParentInterval:
      return "truncated_in_parent_interval";
    case Kind::DamagedFile:
      return "damaged_file";
  }
  return "unknown";
}

Json doubts_json(const repo::PostgresRecord& record) {
  Json out = Json::array();
  for (const repo::PostgresDoubt& doubt : record.doubts) {
    Json one = {{"kind", kind_text(doubt.kind)}};
    put_name(one, "path", doubt.path);
    one["pages"] = doubt.count;
    out.push_back(std::move(one));
  }
  return out;
}

std::string text_of(const repo::PostgresDoubt& doubt) {
  using Kind = repo::PostgresDoubt::Kind;
  switch (doubt.kind) {
    case Kind::DamagedPages:
      return fmt::format("{}: {} did not have their checksum when they were backed up", doubt.path,
                         human_plural(doubt.count, "page"));
    case Kind::TruncatedInParentInterval:
      return fmt::format(
          "{}: truncated between this backup and the one before: PostgreSQL may have left blocks "
          "out of its incremental; compare its rows, or use a full backup",
          doubt.path);
    case Kind::DamagedFile:
      return fmt::format("{}: did not have the checksum of its manifest when it was backed up",
                         doubt.path);
  }
  return doubt.path;
}

}  // namespace

std::vector<std::string> doubt_texts(const repo::PostgresRecord& record) {
  std::vector<std::string> out;
  const std::size_t named = std::min(record.doubts.size(), kDoubtsNamed);
  for (std::size_t i = 0; i < named; ++i) out.push_back(text_of(record.doubts[i]));
  const std::uint64_t more = record.doubts.size() - named + record.doubts_more;
  if (more > 0) out.push_back(fmt::format("and {} of this kind", human_plural(more, "more doubt")));
  return out;
}

std::string missing_wal_text(const repo::PostgresRecord& record) {
  if (record.wal_included) return {};
  std::string ranges;
  for (const repo::PostgresWalRange& range : record.wal_ranges) {
    ranges += fmt::format("{}timeline {} from {} to {}", ranges.empty() ? "" : ", ", range.timeline,
                          lsn_text(range.start), lsn_text(range.end));
  }
  if (ranges.empty()) {
    ranges = fmt::format("timeline {} from {} on", record.timeline, lsn_text(record.start_lsn));
  }
  return fmt::format(
      "the snapshot has not all the WAL it needs: recovery fetches {} from your archive "
      "(--recovery-option restore_command=...)",
      ranges);
}

std::string lsn_text(std::uint64_t lsn) {
  return lsn == 0 ? std::string() : to_text(pgsupport::Lsn{lsn});
}

std::string server_version_text(const repo::PostgresRecord& record) {
  if (record.server_version == 0) return fmt::format("{}", record.major_version);
  return fmt::format("{}.{}", record.server_version / kVersionFactor,
                     record.server_version % kVersionFactor);
}

std::optional<std::uint64_t> bytes_changed(const repo::PostgresRecord& record) {
  if (!record.incremental || !record.blocks_changed) return std::nullopt;
  return *record.blocks_changed * record.block_bytes;
}

std::uint64_t doubt_count(const repo::PostgresRecord& record) {
  return record.doubts.size() + record.doubts_more;
}

std::string cluster_cell(const repo::PostgresRecord& record) {
  const auto changed = bytes_changed(record);
  if (changed) {
    return fmt::format("{}, {} changed", server_version_text(record), human_bytes(*changed));
  }
  return fmt::format("{}, {}", server_version_text(record),
                     record.incremental ? "incremental" : "full");
}

Json cluster_record_json(const repo::PostgresRecord& record) {
  // A number of 64 bits is more than many readers of JSON take.
  Json out = {{"system_identifier", fmt::format("{}", record.system_identifier)},
              {"server_version", server_version_text(record)},
              {"timeline", record.timeline},
              {"start_lsn", lsn_text(record.start_lsn)},
              {"end_lsn", lsn_text(record.end_lsn)},
              {"wal_included", record.wal_included},
              {"from_standby", record.from_standby},
              {"incremental", record.incremental}};
  if (const auto changed = bytes_changed(record)) out["bytes_changed"] = *changed;
  out["doubts"] = doubt_count(record);
  if (!record.doubts.empty()) out["doubtful"] = doubts_json(record);
  return out;
}

}  // namespace pagevault::cli
