// What must be said of a PostgreSQL snapshot before one relies on it.

#pragma once

#include <string>
#include <vector>

#include "pagevault/repo/postgres_record.h"

namespace pagevault::cli {

/// One sentence for each doubt, the first ones; then how many more there are. Paths are as they
/// are: escape them.
std::vector<std::string> doubt_texts(const repo::PostgresRecord& record);

/// Which WAL recovery needs from elsewhere; empty when the snapshot has all of it.
std::string missing_wal_text(const repo::PostgresRecord& record);

}  // namespace pagevault::cli
