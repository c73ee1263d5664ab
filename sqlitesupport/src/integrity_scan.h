// SQLite's own checks of a database file; inside the helper process only (database_check.h).

#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "pagevault/base/result.h"

namespace pagevault::sqlitesupport {

using TextSink = std::function<Status(std::string_view)>;
/// Asked now and then; true ends the work with Cancelled.
using Abandoned = std::function<bool()>;

/// Gives `found` each finding, at most kFindingsMax.
Status scan_integrity(const std::string& path, const TextSink& found, const Abandoned& abandoned);

}  // namespace pagevault::sqlitesupport
