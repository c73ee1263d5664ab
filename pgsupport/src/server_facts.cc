#include "server_facts.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <charconv>
#include <limits>

namespace pagevault::pgsupport {
namespace {

constexpr int kVersionMin = 150000;  // Options of BASE_BACKUP in parentheses, one COPY for all.
constexpr std::uint64_t kTimelineMax = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kIdentifierMax = std::numeric_limits<std::uint64_t>::max();

Result<bool> show_switch(PgConnection& connection, const std::string& setting) {
  PV_TRY_ASSIGN(const std::string value, show(connection, setting));
  return value == "on";
}

Result<std::uint64_t> show_size(PgConnection& connection, const std::string& setting,
                                std::uint64_t max) {
  PV_TRY_ASSIGN(const std::string value, show(connection, setting));
  const auto bytes = parse_size(value);
  if (!bytes || *bytes == 0 || *bytes > max) {
    return Error(ErrorCode::Corrupt, fmt::format("server: {} is \"{}\"", setting, value));
  }
  return *bytes;
}

Status read_sizes(PgConnection& connection, ServerFacts& facts) {
  PV_TRY_ASSIGN(const std::uint64_t block, show_size(connection, "block_size", 32 * kKiB));
  PV_TRY_ASSIGN(const std::uint64_t segment, show_size(connection, "segment_size", 1024 * kGiB));
  PV_TRY_ASSIGN(const std::uint64_t wal, show_size(connection, "wal_segment_size", kGiB));
  if (!std::has_single_bit(block) || block < kKiB || segment % block != 0 ||
      segment / block > kSegmentBlocksMax || !std::has_single_bit(wal) || wal < kMiB) {
    return Error(ErrorCode::Corrupt,
                 fmt::format("server: impossible sizes: blocks of {}, segments of {}, WAL segments "
                             "of {} bytes",
                             block, segment, wal));
  }
  facts.geometry.block_bytes = static_cast<std::uint32_t>(block);
  facts.geometry.segment_blocks = static_cast<std::uint32_t>(segment / block);
  facts.wal_segment_bytes = static_cast<std::uint32_t>(wal);
  return ok();
}

// Who the server is: system identifier and timeline, in the first two columns.
Status read_identity(PgConnection& connection, PgConnection::Kind kind, ServerFacts& facts) {
  const bool is_sql = kind == PgConnection::Kind::Sql;
  PV_TRY_ASSIGN(const PgAnswer rows,
                connection.query(is_sql ? "SELECT s.system_identifier, c.timeline_id FROM "
                                          "pg_catalog.pg_control_system() s, "
                                          "pg_catalog.pg_control_checkpoint() c"
                                        : "IDENTIFY_SYSTEM"));
  PV_TRY_ASSIGN(facts.system_identifier, rows.number(0, 0, kIdentifierMax));
  PV_TRY_ASSIGN(const std::uint64_t timeline, rows.number(0, 1, kTimelineMax));
  facts.timeline.value = static_cast<std::uint32_t>(timeline);
  return ok();
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(stop - text.data()));
  constexpr std::array<std::string_view, 5> kUnits = {"B", "kB", "MB", "GB", "TB"};
  unsigned shift = 0;
  for (const std::string_view each : kUnits) {
    if (unit == each || unit.empty()) {
      if (value > std::numeric_limits<std::uint64_t>::max() >> shift) return std::nullopt;
      return value << shift;
    }
    shift += 10;
  }
  return std::nullopt;
}

Result<std::string> show(PgConnection& connection, const std::string& setting) {
  PV_TRY_ASSIGN(const PgAnswer rows, connection.query("SHOW " + setting));
  if (rows.rows() != 1) return Error(ErrorCode::Corrupt, "server: no value of " + setting);
  return std::string(rows.text(0, 0));
}

Result<ServerFacts> read_facts(PgConnection& connection, PgConnection::Kind kind) {
  ServerFacts facts;
  facts.host = connection.host();
  const int version = connection.version();
  if (version < kVersionMin) {
    return Error(
        ErrorCode::Unsupported,
        fmt::format("{}: PostgreSQL {} is too old to be backed up over a connection (15 or "
                    "later): run its pg_basebackup and back up what that writes",
                    facts.host, version / 10000));
  }
  facts.version = static_cast<std::uint32_t>(version);
  PV_TRY(read_identity(connection, kind, facts));
  PV_TRY_ASSIGN(facts.version_text, show(connection, "server_version"));
  PV_TRY_ASSIGN(facts.in_recovery, show_switch(connection, "in_hot_standby"));
  PV_TRY_ASSIGN(facts.data_checksums, show_switch(connection, "data_checksums"));
  PV_TRY(read_sizes(connection, facts));
  if (facts.version >= kVersionIncremental) {
    PV_TRY_ASSIGN(facts.summarizes_wal, show_switch(connection, "summarize_wal"));
  }
  return facts;
}

}  // namespace pagevault::pgsupport
