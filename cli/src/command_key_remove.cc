#include <fmt/format.h>

#include "json_text.h"
#include "opened_workspace.h"

namespace pagevault::cli {
namespace {

// Whole ids and beginnings that fit one slot only.
Result<repo::KeySlotId> chosen_slot(const std::vector<repo::KeySlotInfo>& slots,
                                    const std::string& text) {
  std::optional<repo::KeySlotId> found;
  for (const repo::KeySlotInfo& slot : slots) {
    if (text.size() < 4 || !slot.id.hex().starts_with(text)) continue;
    if (found) {
      return Error(ErrorCode::InvalidArgument, fmt::format("several keys begin with {}", text));
    }
    found = slot.id;
  }
  if (found) return *found;
  return Error(ErrorCode::NotFound,
               fmt::format("no key begins with '{}' (4 digits at least)", text));
}

Outcome run_key_remove(Invocation& invocation) {
  PV_TRY_ASSIGN(const auto repository, open_repository(invocation));
  PV_TRY_ASSIGN(const auto slots, repository->list_key_slots());
  PV_TRY_ASSIGN(const repo::KeySlotId id, chosen_slot(slots, invocation.options.words()[0]));
  PV_TRY(repository->remove_key_slot(id));
  Console& console = invocation.console;
  if (console.json()) {
    console.json_line({{"message_type", "summary"}, {"removed_key_id", id.hex()}});
  }
  console.summary(fmt::format("removed key {}", id.hex()));
  return ExitCode::Ok;
}

}  // namespace

const Command& key_remove_command() {
  static const Command kCommand = {
      .name = "key remove",
      .group = "Keys",
      .summary = "remove a key: it no longer opens the repository",
      .arguments = "ID",
      .arguments_min = 1,
      .arguments_max = 1,
      .description =
          "The last key and the key in use are never removed. Who copied the repository while the "
          "key was valid can still read that copy with it: removing a key does not encrypt "
          "anything again.",
      .options = {},
      .examples = {{"pagevault key list", "shows the ids"},
                   {"pagevault key remove 8c1d03f7", "the first digits are enough"}},
      .exits = {ExitCode::NoRepository, ExitCode::WrongKey},
      .run = run_key_remove};
  return kCommand;
}

}  // namespace pagevault::cli
