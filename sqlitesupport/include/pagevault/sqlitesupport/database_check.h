// Looking into a database file that nobody writes, in a restricted helper process of its own (S18):
// is it sound, and what is in it as SQL.

#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "pagevault/base/result.h"
#include "pagevault/sqlitesupport/helper_program.h"

namespace pagevault::sqlitesupport {

inline constexpr std::size_t kFindingsMax = 100;

/// What SQLite's integrity_check and foreign_key_check say of the database at `path` (absolute; no
/// log or journal beside it is looked at), at most kFindingsMax; none: it is sound. What cannot be
/// read as a database at all is a finding, too. Texts may hold any bytes (S17).
/// Errors: NotFound; Io.
Result<std::vector<std::string>> check_database(const std::string& path,
                                                const HelperProgram& program = {});

/// Gives `sink` the database at `path` (as above) as SQL text, in pieces of at most 64 KiB: reading
/// it all with an empty database gives the same tables, values (each with its type), indexes, views
/// and triggers, encoding, application id and user version. Not kept: the rowids of tables without
/// an INTEGER PRIMARY KEY, as by VACUUM. An error of `sink` ends it and is returned.
/// Errors: NotFound; InvalidArgument (not a database); Corrupt; Io.
Status dump_sql(const std::string& path, const std::function<Status(std::string_view)>& sink,
                const HelperProgram& program = {});

/// The same of the database in the open file `fd`, which needs no name. The helper has it while it
/// runs, and nothing else of ours.
Status dump_sql_of(int fd, const std::function<Status(std::string_view)>& sink,
                   const HelperProgram& program = {});

}  // namespace pagevault::sqlitesupport
