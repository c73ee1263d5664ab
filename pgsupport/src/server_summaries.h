// WAL summaries as the server's SQL functions show them.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pagevault/pgsupport/lsn.h"
#include "pagevault/pgsupport/wal_summary.h"
#include "pg_connection.h"
#include "timeline_history.h"

namespace pagevault::pgsupport {

/// Why summaries of the WAL since `parent` (not empty) are not to be had; nothing when they are
/// there, or the summarizer has yet to come to the missing ones. `history` holds its timelines.
Result<std::optional<std::string>> why_not_summarized(PgConnection& sql,
                                                      const std::vector<TimelineStay>& history,
                                                      const std::vector<WalRange>& parent);

/// As PostgresServer::forks_at_risk.
Result<std::vector<RelationFork>> find_forks_at_risk(PgConnection& sql, const WalRange& range);

}  // namespace pagevault::pgsupport
