// Where two mapped files may differ, told from their maps alone.

#pragma once

#include <functional>

#include "pagevault/engine/tree.h"

namespace pagevault::engine {

/// Calls `visit` with ranges, ascending and not overlapping, outside of which the files are equal
/// as far as both reach. Inside they may be equal, too. Spans with the same node are not read.
/// Errors: as of MapReader::span, and what `visit` says.
Status visit_differing_ranges(MapReader& before, MapReader& after,
                              const std::function<Status(const ByteRange&)>& visit);

}  // namespace pagevault::engine
