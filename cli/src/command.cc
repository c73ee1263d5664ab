#include "command.h"

namespace pagevault::cli {

const std::vector<const Command*>& all_commands() {
  static const std::vector<const Command*> kCommands = {
      &init_command(),          &backup_files_command(),
      &backup_sqlite_command(), &backup_postgres_command(),
      &backup_stdin_command(),  &watch_command(),
      &snapshots_command(),     &ls_command(),
      &find_command_entry(),    &diff_command(),
      &stats_command(),         &restore_command(),
      &dump_command(),          &check_command(),
      &repair_index_command(),  &key_list_command(),
      &key_add_command(),       &key_remove_command(),
      &key_export_command(),    &key_import_command(),
  };
  return kCommands;
}

const Command* find_command(std::string_view name) {
  for (const Command* command : all_commands()) {
    if (command->name == name) return command;
  }
  return nullptr;
}

std::vector<const Command*> commands_of_group_word(std::string_view word) {
  std::vector<const Command*> out;
  for (const Command* command : all_commands()) {
    const std::string_view name = command->name;
    if (name.starts_with(word) && name.size() > word.size() && name[word.size()] == ' ') {
      out.push_back(command);
    }
  }
  return out;
}

}  // namespace pagevault::cli
