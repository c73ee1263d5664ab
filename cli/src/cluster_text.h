// What is said of PostgreSQL snapshots: in lists, and before one relies on them.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "console.h"
#include "pagevault/repo/postgres_record.h"

namespace pagevault::cli {

/// One sentence for each doubt, the first ones; then how many more there are. Paths are as they
/// are: escape them.
std::vector<std::string> doubt_texts(const repo::PostgresRecord& record);

/// Which WAL recovery needs from elsewhere; empty when the snapshot has all of it.
std::string missing_wal_text(const repo::PostgresRecord& record);

/// As PostgreSQL writes it: `1/6A3F0028`; empty for 0, which is not known.
std::string lsn_text(std::uint64_t lsn);
/// "17.5", "17" when the snapshot only knows that.
std::string server_version_text(const repo::PostgresRecord& record);
/// What came in INCREMENTAL files. Nothing: it was no incremental.
std::optional<std::uint64_t> bytes_changed(const repo::PostgresRecord& record);
std::uint64_t doubt_count(const repo::PostgresRecord& record);

/// One cell of a list: "17.5, full", "17.5, 12.0 MiB changed".
std::string cluster_cell(const repo::PostgresRecord& record);
Json cluster_record_json(const repo::PostgresRecord& record);

}  // namespace pagevault::cli
