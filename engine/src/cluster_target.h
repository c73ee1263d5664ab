// What a restore of a PostgreSQL cluster finds where it is to write, and whether it may. Nothing
// here changes anything.

#pragma once

#include <string>
#include <vector>

#include "pagevault/engine/restore.h"
#include "pagevault/repo/postgres_record.h"

namespace pagevault::engine {

/// Lies in a data directory from the first change to it until it is whole: its old content counts
/// for nothing any more, and the restore may be run again.
inline constexpr std::string_view kUnfinishedMark = ".pv-restore-unfinished";

/// Ok when no server runs on the data directory, as far as postmaster.pid tells. Locked: a process
/// of that number runs, or the file does not say; the message says what to do. Other errors: of the
/// target.
Status check_server_stopped(Env& env, Dir& target);

/// Ok when the target is missing or empty, or, with `delta`, an old data directory of the same
/// cluster on which no server runs, or one that an earlier restore left unfinished; and when each
/// directory of `tablespaces` is missing, empty, or what the old data directory has for this very
/// tablespace. Errors: AlreadyExists (not empty), InvalidArgument (no data directory, another
/// cluster, a tablespace inside the target by another path), Locked; of the target.
Status check_cluster_target(Env& env, const RestoreRequest& request,
                            const repo::PostgresRecord& record,
                            const std::vector<TablespaceTarget>& tablespaces);

/// pg_tblspc/<oid> in `links` is a link to `tablespace.directory`. Errors: of the target.
Result<bool> is_linked(Dir& links, const TablespaceTarget& tablespace);

}  // namespace pagevault::engine
