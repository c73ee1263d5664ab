#include <fmt/format.h>

#include "escape.h"
#include "json_text.h"
#include "opened_workspace.h"
#include "table_text.h"

namespace pagevault::cli {
namespace {

std::string_view kind_name(repo::KeySlotKind kind) {
  switch (kind) {
    case repo::KeySlotKind::Passphrase:
      return "passphrase";
    case repo::KeySlotKind::KeyFile:
      return "key file";
    case repo::KeySlotKind::Recipient:
      return "recipient";
  }
  return "unknown";
}

std::string cost_text(const repo::KeySlotDescription& slot) {
  if (slot.kind != repo::KeySlotKind::Passphrase) return {};
  return fmt::format("Argon2id, {} MiB, {} passes", slot.cost.memory_bytes / kMiB,
                     slot.cost.passes);
}

Json slot_json(const repo::KeySlotInfo& slot) {
  Json out = {{"id", slot.id.hex()}, {"current", slot.current}};
  if (!slot.description) {
    out["problem"] = slot.problem;
    return out;
  }
  out["kind"] = kind_name(slot.description->kind);
  if (slot.description->kind == repo::KeySlotKind::Passphrase) {
    out["kdf_memory_bytes"] = slot.description->cost.memory_bytes;
    out["kdf_passes"] = slot.description->cost.passes;
  }
  return out;
}

void print_table(Console& console, const std::vector<repo::KeySlotInfo>& slots) {
  TableText table({{""}, {"ID"}, {"Kind"}, {"Cost of a guess"}});
  for (const repo::KeySlotInfo& slot : slots) {
    const std::string mark = slot.current ? "*" : "";
    if (slot.description) {
      table.add({mark, slot.id.hex(), std::string(kind_name(slot.description->kind)),
                 cost_text(*slot.description)});
    } else {
      table.add({mark, slot.id.hex(), "damaged", escape_for_terminal(slot.problem)});
    }
  }
  for (const std::string& line : table.lines()) console.line(line);
  console.summary("* opened the repository now");
  if (slots.size() == 1) {
    console.summary("only one key: if it is lost, all is lost. Add another: pagevault key add");
  }
}

Outcome run_key_list(Invocation& invocation) {
  PV_TRY_ASSIGN(const auto repository, open_repository(invocation));
  PV_TRY_ASSIGN(const auto slots, repository->list_key_slots());
  bool damaged = false;
  for (const repo::KeySlotInfo& slot : slots) damaged |= !slot.description.has_value();
  if (invocation.console.json()) {
    JsonArray array(invocation.console);
    for (const repo::KeySlotInfo& slot : slots) array.add(slot_json(slot));
    array.end();
  } else {
    print_table(invocation.console, slots);
  }
  return damaged ? ExitCode::Damage : ExitCode::Ok;
}

}  // namespace

const Command& key_list_command() {
  static const Command kCommand = {
      .name = "key list",
      .group = "Keys",
      .summary = "list the keys that open the repository",
      .arguments = "",
      .description =
          "Every key opens the whole repository. The one that opened it now is marked with *.",
      .options = {},
      .examples = {{"pagevault key list", "which keys are there?"},
                   {"pagevault --key-file old.key key list", "which one is old.key?"}},
      .exits = {ExitCode::NoRepository, ExitCode::WrongKey, ExitCode::Damage},
      .run = run_key_list};
  return kCommand;
}

}  // namespace pagevault::cli
