// Patterns that name files: --exclude, --include, find.

#pragma once

#include <string>
#include <vector>

namespace pagevault::engine {

/// True when one of `patterns` matches. `*` and `?` match any characters, `[...]` a set (fnmatch);
/// a pattern with '/' is matched against the whole path and against each of its parents, so that a
/// folder's pattern covers what is in it; one without '/' against `name` alone.
bool matches_any(const std::vector<std::string>& patterns, const std::string& path,
                 const std::string& name);

}  // namespace pagevault::engine
