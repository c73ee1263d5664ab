// "Did you mean": the known word nearest to a mistyped one.

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pagevault::cli {

/// Nothing (empty) when no word is near enough to be meant. Counts inserted, removed, replaced and
/// swapped neighbouring letters.
std::string nearest_word(std::string_view typed, const std::vector<std::string>& known);

}  // namespace pagevault::cli
