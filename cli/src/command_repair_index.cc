#include <fmt/format.h>

#include "human_numbers.h"
#include "json_text.h"
#include "opened_workspace.h"

namespace pagevault::cli {
namespace {

void print_repair(Console& console, const repo::IndexRepair& repair) {
  if (console.json()) {
    return console.json_line({{"message_type", "summary"},
                              {"packs_read", repair.packs_read},
                              {"packs_added", repair.packs_added},
                              {"index_objects_written", repair.index_objects_written},
                              {"damaged", repair.damaged.size()}});
  }
  console.summary(fmt::format(
      "{} looked into, {} added to the index, {} written", human_plural(repair.packs_read, "pack"),
      human_count(repair.packs_added), human_plural(repair.index_objects_written, "index object")));
  if (repair.packs_added == 0) console.summary("the index lacked nothing");
}

Outcome run_repair_index(Invocation& invocation) {
  PV_TRY_ASSIGN(OpenedWorkspace opened, open_workspace(invocation));
  Console& console = invocation.console;
  PV_TRY_ASSIGN(const repo::IndexRepair repair,
                repo::repair_index(opened->repository(), opened->index()));
  for (const auto& damaged : repair.damaged) {
    const std::string path = repo::object_path(damaged.name);
    console.item_error(item_error_document(path, damaged.error, "repair"),
                       fmt::format("{}: {}", path, damaged.error.message()));
  }
  print_repair(console, repair);
  return repair.damaged.empty() ? ExitCode::Ok : ExitCode::Damage;
}

}  // namespace

const Command& repair_index_command() {
  static const Command kCommand = {
      .name = "repair index",
      .group = "Verify and repair",
      .summary = "write the index of packs that no index names",
      .arguments = "",
      .description =
          "Every pack holds a list of what is in it. This reads the lists of packs that are "
          "missing "
          "in the index, after index objects were lost or damaged, and writes new ones. Nothing is "
          "deleted or changed; running it without need is harmless.",
      .options = {},
      .examples = {{"pagevault repair index", "after `check` named damaged index objects"},
                   {"pagevault check && pagevault repair index -v", "to see what it looked at"}},
      .exits = {ExitCode::NoRepository, ExitCode::WrongKey, ExitCode::Damage},
      .run = run_repair_index};
  return kCommand;
}

}  // namespace pagevault::cli
