// Help pages, made from the command table.

#pragma once

#include <string>

#include "command.h"

namespace pagevault::cli {

/// All commands by group, global options, environment, exit codes.
std::string overview_text();
/// One command.
std::string help_text(const Command& command);
/// The sub-verbs of a word like "key".
std::string group_text(const std::string& word);
/// The page `name` asks for; the overview when it is no command.
std::string help_page(const std::string& name);

}  // namespace pagevault::cli
