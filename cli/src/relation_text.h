// Relations of PostgreSQL clusters and their files, as text and as JSON.

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "console.h"
#include "pagevault/engine/cluster_catalog.h"
#include "pagevault/engine/relation_diff.h"

namespace pagevault::cli {

using MaybeRelation = std::optional<pgsupport::RelationName>;

/// "app.public.orders"; without database for what all share. Escaped.
std::string relation_name_text(const pgsupport::RelationName& name);
/// "table", "index", "TOAST of public.orders". Escaped.
std::string relation_kind_text(const pgsupport::RelationName& name);
/// "app.public.orders, table, visibility map, segment 2": what a file of it is. `path` in the
/// snapshot.
std::string relation_file_text(const std::string& path, const pgsupport::RelationName& name);
/// "relation", with the fork and segment of the file at `path`.
Json relation_file_json(const std::string& path, const pgsupport::RelationName& name);

/// A table of all, largest first, and their count.
std::vector<std::string> relation_size_lines(const std::vector<engine::RelationSize>& sizes);
Json relation_size_json(const engine::RelationSize& size);

/// A table of those that changed most, then how many more there are.
std::vector<std::string> relation_diff_lines(
    const std::vector<engine::RelationDifference>& relations);
Json relation_diff_json(const engine::RelationDifference& relation);

}  // namespace pagevault::cli
