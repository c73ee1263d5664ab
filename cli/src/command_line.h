// From the words of the command line to a command and its options.

#pragma once

#include <string>
#include <vector>

#include "command.h"

namespace pagevault::cli {

struct CommandLine {
  const Command* command = nullptr;
  Options options;
};

/// Errors: InvalidArgument with the nearest command or option, and how many arguments are wanted.
Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments);

/// The words that name the command, as far as they go: "backup", "backup files", "" ...
/// `rest` gets everything else. Options before and between them must be global.
std::string take_command_name(const std::vector<std::string>& arguments,
                              std::vector<std::string>& rest);

/// True when `flag` ("--json") stands among the arguments, before any "--".
bool has_flag(const std::vector<std::string>& arguments, std::string_view flag);

/// Global options and the command's own.
OptionSpecs options_of(const Command& command);

}  // namespace pagevault::cli
