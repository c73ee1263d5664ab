#include "help.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

namespace pagevault::cli {
namespace {

constexpr std::size_t kColumns = 96;

// Words of `text` in lines of `width`, all but the first indented.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t first_at) {
  std::string out;
  std::size_t at = first_at;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (at > indent && at + 1 + end > kColumns) {
      out += "\n" + std::string(indent, ' ');
      at = indent;
    } else if (at > indent) {
      out += ' ';
      ++at;
    }
    out += text.substr(0, end);
    at += end;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string two_columns(const std::string& left, std::string_view right, std::size_t column) {
  std::string out = "  " + left;
  if (out.size() + 2 > column) {
    out += "\n" + std::string(column, ' ');
  } else {
    out.resize(column, ' ');
  }
  return out + wrapped(right, column, column) + "\n";
}

std::string option_text(const OptionSpec& spec) {
  const std::string letter = spec.letter == 0 ? "    " : fmt::format("-{}, ", spec.letter);
  const std::string value = spec.value_name.empty() ? "" : fmt::format(" {}", spec.value_name);
  std::string help(spec.help);
  if (!spec.choices.empty()) help += fmt::format(": {}", fmt::join(spec.choices, ", "));
  if (spec.kind == OptionKind::List) help += " (repeatable)";
  return two_columns(fmt::format("{}--{}{}", letter, spec.name, value), help, 30);
}

std::string options_text(const OptionSpecs& specs) {
  std::string out;
  for (const OptionSpec& spec : specs) out += option_text(spec);
  return out;
}

std::string exit_line(ExitCode code) {
  return two_columns(fmt::format("{}", static_cast<int>(code)), meaning_of(code), 8);
}

std::string exits_text(const std::vector<ExitCode>& codes) {
  std::string out = "Exit codes:\n";
  for (const ExitCode code : codes) out += exit_line(code);
  return out;
}

std::string commands_text() {
  std::string out;
  std::string_view group;
  for (const Command* command : all_commands()) {
    if (command->group != group) out += fmt::format("{}:\n", command->group);
    group = command->group;
    out += two_columns(std::string(command->name), command->summary, 20);
  }
  return out;
}

constexpr std::array kAllExits = {
    ExitCode::Ok,         ExitCode::Fatal,        ExitCode::Usage,
    ExitCode::Incomplete, ExitCode::NoRepository, ExitCode::Busy,
    ExitCode::WrongKey,   ExitCode::Damage,       ExitCode::Interrupted};

std::string paragraphs(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out += wrapped(text.substr(0, end), 0, 0) + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace

std::string overview_text() {
  std::string out =
      "pagevault keeps encrypted, deduplicated backups of files and databases in a folder.\n"
      "Every snapshot is a full one: any can be restored by itself.\n\n"
      "Usage: pagevault [-r REPOSITORY] COMMAND [options]\n\n";
  out += commands_text();
  out += "\nOptions of every command:\n" + options_text(global_options());
  out +=
      "\nEnvironment: PAGEVAULT_REPOSITORY, PAGEVAULT_REPOSITORY_FILE, PAGEVAULT_KEY_FILE,\n"
      "PAGEVAULT_PASSWORD, PAGEVAULT_PASSWORD_FILE, PAGEVAULT_PASSWORD_COMMAND,\n"
      "PAGEVAULT_CACHE_DIR, PAGEVAULT_COMPRESSION. Options beat the environment.\n\n";
  out += exits_text({kAllExits.begin(), kAllExits.end()});
  out +=
      "\nFirst steps:\n"
      "  export PAGEVAULT_REPOSITORY=/mnt/nas/vault PAGEVAULT_KEY_FILE=~/vault.key\n"
      "  pagevault init\n"
      "  pagevault backup files /srv/app\n"
      "  pagevault restore latest --target /tmp/restored\n\n"
      "`pagevault COMMAND --help` explains one command, with examples.\n";
  return out;
}

std::string help_text(const Command& command) {
  const std::string_view arguments = command.arguments;
  std::string out =
      fmt::format("pagevault {}: {}\n\nUsage: pagevault {}{}{}{}\n\n", command.name,
                  command.summary, command.name, command.options.empty() ? "" : " [options]",
                  arguments.empty() ? "" : " ", arguments);
  out += paragraphs(command.description);
  if (!command.options.empty()) out += "\nOptions:\n" + options_text(command.options);
  out += "\nOptions of every command:\n" + options_text(global_options());
  out += "\nExamples:\n";
  for (const Example& example : command.examples) {
    out += fmt::format("  {}\n      {}\n", example.line, wrapped(example.what, 6, 6));
  }
  std::vector<ExitCode> exits = {ExitCode::Ok, ExitCode::Fatal, ExitCode::Usage};
  exits.insert(exits.end(), command.exits.begin(), command.exits.end());
  return out + "\n" + exits_text(exits);
}

std::string group_text(const std::string& word) {
  std::string out = fmt::format("Usage: pagevault {} COMMAND [options]\n\n", word);
  for (const Command* command : commands_of_group_word(word)) {
    out += two_columns(std::string(command->name), command->summary, 20);
  }
  return out + "\n`pagevault " + word + " COMMAND --help` explains one of them.\n";
}

std::string help_page(const std::string& name) {
  if (const Command* command = find_command(name)) return help_text(*command);
  if (!name.empty() && !commands_of_group_word(name).empty()) return group_text(name);
  return overview_text();
}

}  // namespace pagevault::cli
