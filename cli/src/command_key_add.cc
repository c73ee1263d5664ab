#include "new_key_slot.h"
#include "opened_workspace.h"

namespace pagevault::cli {
namespace {

Outcome run_key_add(Invocation& invocation) {
  PV_TRY(choose_new_credential(invocation.options));  // A wrong use, before anything is asked.
  PV_TRY_ASSIGN(const auto repository, open_repository(invocation));
  return add_new_key(invocation, *repository);
}

}  // namespace

const Command& key_add_command() {
  static const Command kCommand = {
      .name = "key add",
      .group = "Keys",
      .summary = "add a key that opens the repository, too",
      .arguments = "",
      .description =
          "Opens the repository with a key you have and lets a new one open it as well: the "
          "passphrase or key file that the --new- options name, else a passphrase asked for twice. "
          "A key file that is missing is created with mode 0600. No data is encrypted again.",
      .options = new_credential_options(),
      .examples = {{"pagevault --key-file vault.key key add", "a passphrase beside the key file"},
                   {"pagevault key add --new-key-file /media/usb/vault.key --label usb-stick",
                    "a key file on a stick"}},
      .exits = {ExitCode::NoRepository, ExitCode::WrongKey},
      .run = run_key_add};
  return kCommand;
}

}  // namespace pagevault::cli
