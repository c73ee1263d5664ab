// What changed in a database, as lines and as JSON.

#pragma once

#include <string>
#include <vector>

#include "console.h"
#include "pagevault/engine/database_diff.h"

namespace pagevault::cli {

/// One escaped line for each table and index that changed, at most 20, then how many more.
std::vector<std::string> database_diff_lines(const engine::DatabaseDiff& diff);

/// All of them, in "owners".
Json database_diff_json(const engine::DatabaseDiff& diff);

}  // namespace pagevault::cli
