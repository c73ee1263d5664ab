#include "command_line.h"

#include <fmt/format.h>

#include <algorithm>

#include "nearest_word.h"

namespace pagevault::cli {
namespace {

Error usage(std::string message) { return Error(ErrorCode::InvalidArgument, std::move(message)); }

bool is_option(std::string_view token) { return token.size() > 1 && token.front() == '-'; }

// Whether `token` is a global option whose value is the next word.
bool takes_next_word(std::string_view token) {
  if (token.find('=') != std::string_view::npos) return false;
  const OptionSpec* spec = find_option(global_options(), token);
  return spec != nullptr && spec->kind != OptionKind::Flag;
}

Error unknown_command(const std::string& name) {
  std::vector<std::string> known;
  for (const Command* command : all_commands()) known.emplace_back(command->name);
  const std::string nearest = nearest_word(name, known);
  return usage(fmt::format("unknown command '{}'{}", name,
                           nearest.empty() ? "; `pagevault --help` lists them"
                                           : fmt::format("; did you mean '{}'?", nearest)));
}

Error sub_verb_wanted(const std::string& word) {
  std::string verbs;
  for (const Command* command : commands_of_group_word(word)) {
    verbs += fmt::format("{}`pagevault {}`", verbs.empty() ? "" : ", ", command->name);
  }
  return usage(fmt::format("'{}' needs a second word: {}", word, verbs));
}

Result<const Command*> command_named(const std::string& name) {
  if (name.empty()) return usage("which command? `pagevault --help` lists them");
  if (const Command* command = find_command(name)) return command;
  if (!commands_of_group_word(name).empty()) return sub_verb_wanted(name);
  return unknown_command(name);
}

Status check_argument_count(const Command& command, std::size_t given) {
  if (given >= command.arguments_min && given <= command.arguments_max) return ok();
  if (command.arguments_max == 0) {
    return usage(fmt::format("'{}' takes no arguments", command.name));
  }
  return usage(fmt::format(
      "'{}' wants {}: {} given", command.name, command.arguments,
      given < command.arguments_min ? "too few arguments were" : "too many arguments were"));
}

}  // namespace

std::string take_command_name(const std::vector<std::string>& arguments,
                              std::vector<std::string>& rest) {
  std::string name;
  std::size_t at = 0;
  for (bool complete = false; at < arguments.size() && !complete; ++at) {
    const std::string& token = arguments[at];
    if (token == "--") break;
    if (is_option(token)) {
      rest.push_back(token);
      if (takes_next_word(token) && at + 1 < arguments.size()) rest.push_back(arguments[++at]);
      continue;
    }
    name += (name.empty() ? "" : " ") + token;
    complete = commands_of_group_word(name).empty();
  }
  rest.insert(rest.end(), arguments.begin() + static_cast<std::ptrdiff_t>(at), arguments.end());
  return name;
}

bool has_flag(const std::vector<std::string>& arguments, std::string_view flag) {
  const auto end = std::ranges::find(arguments, "--");
  return std::find(arguments.begin(), end, flag) != end;
}

OptionSpecs options_of(const Command& command) {
  OptionSpecs out = command.options;
  out.insert(out.end(), global_options().begin(), global_options().end());
  return out;
}

Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments) {
  std::vector<std::string> rest;
  const std::string name = take_command_name(arguments, rest);
  if (name.empty()) PV_TRY(parse_options(global_options(), rest));  // An unknown option first.
  CommandLine out;
  PV_TRY_ASSIGN(out.command, command_named(name));
  PV_TRY_ASSIGN(out.options, parse_options(options_of(*out.command), rest));
  PV_TRY(check_argument_count(*out.command, out.options.words().size()));
  return out;
}

}  // namespace pagevault::cli
