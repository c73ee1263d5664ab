// Which SQLite databases a user means: paths, patterns and links resolved.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "options.h"
#include "pagevault/base/result.h"

namespace pagevault::cli {

/// Absolute path of `word` with every link followed, as SQLite does to find the log beside the
/// file; where nothing is, the absolute path. Errors: InvalidArgument (empty; the working directory
/// is gone).
Result<std::string> database_path(const std::string& word);

/// Files that match a shell pattern, in order, without SQLite's own files beside databases (-wal,
/// -shm, -journal) and without folders. Errors: InvalidArgument when there is none.
Result<std::vector<std::string>> databases_matching(const std::string& pattern);

/// What is read, and what the snapshot calls it: a pattern stays one, or every new match would
/// begin a line of snapshots of its own.
struct Databases {
  std::vector<std::string> paths;     ///< As database_path gives them.
  std::vector<std::string> recorded;  ///< Absolute paths and patterns.
};

/// --glob, --together and --as-file, of every command that saves databases.
const OptionSpecs& database_options();

/// By the words and --glob of the command of that name, as of now. Errors: InvalidArgument (there
/// are none, or a pattern matches none).
Result<Databases> databases_of(const Options& options, std::string_view command);

/// True for names of the files that SQLite keeps beside a database.
bool is_beside_database(std::string_view path);

}  // namespace pagevault::cli
