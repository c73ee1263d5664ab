// A command as data: its name, its help, its options and the function that does it.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "console.h"
#include "exit_code.h"
#include "options.h"
#include "pagevault/base/env.h"
#include "settings.h"

namespace pagevault::cli {

struct Command;

/// One run of one command.
struct Invocation {
  Env& env;
  Console& console;
  const Command& command;
  const Options& options;
  const Settings& settings;
  Phase phase = Phase::Setup;
};

struct Example {
  std::string_view line;
  std::string_view what;
};

struct Command {
  std::string_view name;       ///< "backup files": one word or two.
  std::string_view group;      ///< Heading in the list of commands.
  std::string_view summary;    ///< One line, begins with a verb.
  std::string_view arguments;  ///< "SNAPSHOT [PATH]"; empty: none.
  std::size_t arguments_min = 0;
  std::size_t arguments_max = 0;
  std::string_view description;  ///< Paragraphs for a newcomer.
  OptionSpecs options;
  std::vector<Example> examples;  ///< At least two.
  std::vector<ExitCode> exits;    ///< Those worth telling apart, besides 0, 1, 2 and 130.
  Outcome (*run)(Invocation&);
};

/// In the order of the help, groups together.
const std::vector<const Command*>& all_commands();

/// Nothing when there is none of that name.
const Command* find_command(std::string_view name);

/// Sub-verbs of a first word: "key" -> "key add", "key list", ...
std::vector<const Command*> commands_of_group_word(std::string_view word);

const Command& backup_files_command();
const Command& backup_postgres_command();
const Command& backup_sqlite_command();
const Command& backup_stdin_command();
const Command& check_command();
const Command& diff_command();
const Command& dump_command();
const Command& find_command_entry();
const Command& init_command();
const Command& key_add_command();
const Command& key_export_command();
const Command& key_import_command();
const Command& key_list_command();
const Command& key_remove_command();
const Command& ls_command();
const Command& repair_index_command();
const Command& restore_command();
const Command& snapshots_command();
const Command& stats_command();
const Command& watch_command();

}  // namespace pagevault::cli
