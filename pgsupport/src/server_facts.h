// What a server is, by SHOW and IDENTIFY_SYSTEM or, without a replication connection, by SQL.

#pragma once

#include "pagevault/pgsupport/postgres_server.h"
#include "pg_connection.h"

namespace pagevault::pgsupport {

/// The first version with INCREMENTAL, UPLOAD_MANIFEST and WAL summaries.
inline constexpr std::uint32_t kVersionIncremental = 170000;

/// The value of a setting as SHOW prints it ("16MB", "on").
Result<std::string> show(PgConnection& connection, const std::string& setting);

/// Errors: Unsupported (a version before 15); Corrupt (an answer that makes no sense).
Result<ServerFacts> read_facts(PgConnection& connection, PgConnection::Kind kind);

/// Bytes of a size as SHOW prints it: digits, then B, kB, MB, GB, TB or nothing. Nothing when it is
/// none.
std::optional<std::uint64_t> parse_size(std::string_view text);

}  // namespace pagevault::pgsupport
