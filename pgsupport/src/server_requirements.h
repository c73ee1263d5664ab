// What has to change at a server before it can be backed up, with the remedy for each.

#pragma once

#include <optional>
#include <vector>

#include "pagevault/pgsupport/postgres_server.h"
#include "pg_connection.h"

namespace pagevault::pgsupport {

/// What came of the attempts to connect.
struct ServerAccess {
  PgConnection* sql = nullptr;                  ///< Null when there is none ...
  std::optional<Error> sql_error = {};          ///< ... and why.
  std::optional<Error> replication_error = {};  ///< Why no replication connection is to be had.
};

Result<std::vector<Requirement>> find_requirements(const ServerFacts& facts,
                                                   const ServerAccess& access);

}  // namespace pagevault::pgsupport
