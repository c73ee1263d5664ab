// A database file as SQL text; inside the helper process only (database_check.h).

#pragma once

#include <string>

#include "integrity_scan.h"

namespace pagevault::sqlitesupport {

/// Gives `sink` pieces of at most kMessageTextMax.
Status dump_database(const std::string& path, const TextSink& sink, const Abandoned& abandoned);

}  // namespace pagevault::sqlitesupport
