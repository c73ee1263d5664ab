#include "server_summaries.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

namespace pagevault::pgsupport {
namespace {

constexpr std::uint64_t kColumnMax = std::numeric_limits<std::uint32_t>::max();

Result<std::uint32_t> number_at(const PgAnswer& rows, int row, int column) {
  PV_TRY_ASSIGN(const std::uint64_t value, rows.number(row, column, kColumnMax));
  return static_cast<std::uint32_t>(value);
}

Result<std::vector<WalRange>> list_summaries(PgConnection& sql) {
  PV_TRY_ASSIGN(const PgAnswer rows, sql.query("SELECT tli, start_lsn, end_lsn FROM "
                                               "pg_catalog.pg_available_wal_summaries()"));
  std::vector<WalRange> summaries;
  for (int row = 0; row < rows.rows(); ++row) {
    WalRange range;
    PV_TRY_ASSIGN(range.timeline.value, number_at(rows, row, 0));
    PV_TRY_ASSIGN(range.start, parse_lsn(rows.text(row, 1)));
    PV_TRY_ASSIGN(range.end, parse_lsn(rows.text(row, 2)));
    summaries.push_back(range);
  }
  return summaries;
}

// Up to where WAL has been summarized; timeline 0 when the server does not know.
Result<WalPoint> summarizer_position(PgConnection& sql) {
  PV_TRY_ASSIGN(const PgAnswer rows, sql.query("SELECT summarized_tli, summarized_lsn FROM "
                                               "pg_catalog.pg_get_wal_summarizer_state()"));
  WalPoint position;
  PV_TRY_ASSIGN(position.timeline.value, number_at(rows, 0, 0));
  PV_TRY_ASSIGN(position.lsn, parse_lsn(rows.text(0, 1)));
  return position;
}

// Of the ranges of a backup, the one on its oldest timeline: from there on changes are needed.
WalRange earliest(const std::vector<WalRange>& ranges) {
  return *std::min_element(ranges.begin(), ranges.end(), [](const WalRange& a, const WalRange& b) {
    return a.timeline < b.timeline;
  });
}

}  // namespace

Result<std::optional<std::string>> why_not_summarized(PgConnection& sql,
                                                      const std::vector<TimelineStay>& history,
                                                      const std::vector<WalRange>& parent) {
  // The position first: what is summarized between the two calls only adds files.
  PV_TRY_ASSIGN(const WalPoint position, summarizer_position(sql));
  PV_TRY_ASSIGN(const std::vector<WalRange> summaries, list_summaries(sql));
  const WalRange first = earliest(parent);
  for (const TimelineStay& stay : history) {
    if (stay.timeline < first.timeline) continue;
    const Lsn from = stay.timeline == first.timeline ? first.start : stay.begin;
    const Lsn until = covered_until(summaries, stay.timeline, from);
    const bool is_last = stay.timeline == history.back().timeline;
    const bool is_pending = position.timeline < stay.timeline ||
                            (position.timeline == stay.timeline && position.lsn <= until);
    if (is_pending || (!is_last && until >= stay.end)) continue;
    return std::optional(fmt::format(
        "WAL summaries from {} on timeline {} on are missing (summarize_wal was off, or they are "
        "older than wal_summary_keep_time)",
        to_text(until), stay.timeline.value));
  }
  return std::optional<std::string>();
}

Result<std::vector<RelationFork>> find_forks_at_risk(PgConnection& sql, const WalRange& range) {
  PV_TRY_ASSIGN(const std::vector<WalRange> summaries, list_summaries(sql));
  const Lsn until = covered_until(summaries, range.timeline, range.start);
  if (until < range.end) {
    return Error(ErrorCode::NotFound,
                 fmt::format("no WAL summaries from {} to {} on timeline {}", to_text(until),
                             to_text(range.end), range.timeline.value));
  }
  const std::array<std::string, 3> parameters = {std::to_string(range.timeline.value),
                                                 to_text(range.start), to_text(range.end)};
  PV_TRY_ASSIGN(
      const PgAnswer rows,
      sql.query("SELECT DISTINCT c.reltablespace, c.reldatabase, c.relfilenode, c.relforknumber, "
                "c.relblocknumber FROM pg_catalog.pg_available_wal_summaries() s, "
                "LATERAL pg_catalog.pg_wal_summary_contents(s.tli, s.start_lsn, s.end_lsn) c "
                "WHERE s.tli = $1::pg_catalog.int8 AND s.end_lsn > $2::pg_catalog.pg_lsn AND "
                "s.start_lsn < $3::pg_catalog.pg_lsn AND c.is_limit_block AND c.relblocknumber > 0",
                parameters));
  std::vector<RelationFork> forks;
  for (int row = 0; row < rows.rows(); ++row) {
    LimitBlock limit;
    PV_TRY_ASSIGN(limit.fork.tablespace, number_at(rows, row, 0));
    PV_TRY_ASSIGN(limit.fork.database, number_at(rows, row, 1));
    PV_TRY_ASSIGN(limit.fork.relation, number_at(rows, row, 2));
    PV_TRY_ASSIGN(limit.fork.fork, number_at(rows, row, 3));
    PV_TRY_ASSIGN(limit.block, number_at(rows, row, 4));
    if (is_at_risk(limit)) forks.push_back(limit.fork);
  }
  std::sort(forks.begin(), forks.end());
  forks.erase(std::unique(forks.begin(), forks.end()), forks.end());
  return forks;
}

}  // namespace pagevault::pgsupport
