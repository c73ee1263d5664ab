// Recognises a SQLite database by its first bytes.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "pagevault/base/bytes.h"

namespace pagevault::sqlitesupport {

inline constexpr std::size_t kHeaderBytes = 100;

/// The page size in bytes (a power of two, 512..65536) of the database that starts with `header`;
/// nothing when these are not the first bytes of a SQLite database. Only the first kHeaderBytes are
/// looked at; fewer are never a database. Accepts hostile input. Never fails.
/// Source: "Database File Format", section 1.3 (sqlite.org/fileformat2.html).
std::optional<std::uint32_t> sqlite_page_size(ByteView header);

}  // namespace pagevault::sqlitesupport
