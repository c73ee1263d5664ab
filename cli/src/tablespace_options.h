// --tablespace-map and --recovery-option of `restore`: from words to what the engine takes.

#pragma once

#include <string_view>
#include <vector>

#include "options.h"
#include "pagevault/engine/restore.h"

namespace pagevault::cli {

/// "--tablespace-map", "--recovery-option", "--no-recovery-signal".
OptionSpecs cluster_option_specs();

/// Errors: InvalidArgument: a map that is not OID=DIR, OID=in-place or all=DIR, a folder that is no
/// absolute path, `all` twice; an option that is not NAME=VALUE.
Result<engine::ClusterOptions> parse_cluster_options(const Options& options);

}  // namespace pagevault::cli
