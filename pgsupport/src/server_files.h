// Files in the server's data directory, by SQL.

#pragma once

#include <string>
#include <vector>

#include "pagevault/pgsupport/wal_summary.h"
#include "pg_connection.h"

namespace pagevault::pgsupport {

/// As the functions of PostgresServer.
Result<std::vector<std::string>> list_segments(PgConnection& sql, const RelationFork& fork);
Result<std::size_t> read_server_file(PgConnection& sql, const std::string& path,
                                     std::uint64_t offset, MutableBytes out);

}  // namespace pagevault::pgsupport
