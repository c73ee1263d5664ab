// Paths as users write them, and making folders along one.

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pagevault/base/env.h"

namespace pagevault {

/// Components between slashes, empty ones and "." left out.
std::vector<std::string> split_path(std::string_view path);

/// `parent` + "/" + `name`, without doubling the slash; just `name` when `parent` is empty.
std::string join_path(std::string_view parent, std::string_view name);

/// Opens `path`, making it and its missing parents (mode 0700) first; each that is made gets
/// `of_new`, as far as it can be set. Errors: as Env::open_dir; InvalidArgument for an empty path.
Result<std::unique_ptr<Dir>> make_dirs(Env& env, const std::string& path,
                                       const MetadataChange& of_new = {});

}  // namespace pagevault
