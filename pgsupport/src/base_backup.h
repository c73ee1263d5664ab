// Begins a base backup on a replication connection.

#pragma once

#include <memory>

#include "pagevault/pgsupport/postgres_server.h"
#include "pg_connection.h"

namespace pagevault::pgsupport {

/// The backup owns the connection; on an error it is closed, which ends whatever was begun. Errors:
/// as PostgresServer::begin.
Result<std::unique_ptr<BaseBackup>> begin_base_backup(std::unique_ptr<PgConnection> connection,
                                                      const PostgresServer::Options& options);

}  // namespace pagevault::pgsupport
