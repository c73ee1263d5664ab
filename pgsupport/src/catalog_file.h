// Files of a data directory as the catalogs are read from them.

#pragma once

#include <functional>
#include <optional>
#include <string>

#include "pagevault/pgsupport/catalog.h"

namespace pagevault::pgsupport {

/// All of a file of at most `bytes_max` bytes; nothing when it is not there or longer. Errors: of
/// the reader.
Result<std::optional<Bytes>> read_small_file(const CatalogFileReader& read, const std::string& path,
                                             std::size_t bytes_max);

/// Calls `visit` with the blocks of a relation's main fork, segment by segment (`path`, `path`.1,
/// ...) up to the first that is not there, and ends at `bytes_max` bytes of all of them. A part of
/// a block at a segment's end is left out. Errors: of the reader and of `visit`.
Status visit_blocks(const CatalogFileReader& read, const std::string& path,
                    std::uint32_t block_bytes, std::uint64_t bytes_max,
                    const std::function<Status(ByteView)>& visit);

}  // namespace pagevault::pgsupport
