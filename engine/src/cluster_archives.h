// Where the archives of a base backup come from: a folder, a stream, a server.

#pragma once

#include <memory>

#include "cluster_input.h"
#include "pagevault/pgsupport/postgres_server.h"

namespace pagevault::engine {

/// True when `names` of a folder hold the archive of a base backup: base.tar, perhaps compressed.
bool holds_archives(const std::vector<DirEntry>& names);

/// base.tar first, since it begins with backup_label; then tablespaces, then pg_wal.tar. A manifest
/// beside them is left to the caller. Errors: InvalidArgument for files that belong to no base
/// backup.
Result<std::unique_ptr<ArchiveSequence>> archives_in(std::unique_ptr<Dir> dir);

/// One archive with everything in it.
std::unique_ptr<ArchiveSequence> archive_from(StreamSource stream);

/// Those of a running backup. `backup` outlives it.
std::unique_ptr<ArchiveSequence> archives_of(pgsupport::BaseBackup& backup);

}  // namespace pagevault::engine
