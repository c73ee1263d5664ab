// Where the tablespaces of a restored PostgreSQL cluster go. Pure: nothing here looks at a disk.

#pragma once

#include <string>
#include <vector>

#include "pagevault/engine/restore.h"
#include "pagevault/repo/postgres_record.h"

namespace pagevault::engine {

/// A place for each tablespace of the record, OIDs ascending; directories in normal form. A
/// tablespace never goes to its old location by itself: that may be a live one (S14).
///
/// Errors, all InvalidArgument: a tablespace that lay outside has no place (the message names all
/// of them); a place for a tablespace that the snapshot has not, or two for one; a directory that
/// is not absolute and normal, or that lies within `target`, around it or within another one.
Result<std::vector<TablespaceTarget>> place_tablespaces(const repo::PostgresRecord& record,
                                                        const ClusterOptions& options,
                                                        const std::string& target);

/// As "/pg_tblspc/16385": where a tablespace is in the snapshot.
std::string tablespace_path(std::uint32_t oid);

}  // namespace pagevault::engine
