// The text of commands of the replication protocol. Source: PostgreSQL,
// src/backend/replication/repl_gram.y, repl_scanner.l; src/backend/backup/basebackup.c.

#pragma once

#include <string>
#include <string_view>

#include "pagevault/pgsupport/postgres_server.h"

namespace pagevault::pgsupport {

/// As PostgreSQL 15 and later take it. Errors: InvalidArgument (a rate out of range, NULs).
Result<std::string> base_backup_command(const PostgresServer::Options& options);

/// A quoted identifier of SQL: `my "role"` -> `"my ""role"""`.
std::string quoted_identifier(std::string_view name);

}  // namespace pagevault::pgsupport
