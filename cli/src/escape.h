// Names and texts from outside (file systems, repositories, servers) made safe for a terminal.
// Requirement S17.

#pragma once

#include <string>
#include <string_view>

namespace pagevault::cli {

/// `text` on one line, without anything a terminal would obey: control characters (C0, DEL, C1),
/// characters that reorder or hide text, and bytes that are not UTF-8 become \n, \t, \xHH or
/// \u{HEX}; a backslash becomes two, so that the result says exactly what the name is.
std::string escape_for_terminal(std::string_view text);

bool is_valid_utf8(std::string_view text);

/// Columns of escaped text, one for each code point: near enough for a progress line.
std::size_t columns_of(std::string_view escaped);

/// The end of escaped text, at most `columns` wide, with "..." for what was cut off.
std::string keep_end(std::string_view escaped, std::size_t columns);

}  // namespace pagevault::cli
