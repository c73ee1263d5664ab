#include "new_key_slot.h"
#include "opened_workspace.h"
#include "user_file.h"

namespace pagevault::cli {
namespace {

Result<repo::MasterSecret> read_paper_key(const std::string& path) {
  PV_TRY_ASSIGN(const SecretFile file, read_secret_file(path).context("paper key"));
  Result<SecretBytes> master = repo::parse_paper_key(file.content.expose());
  if (!master) return Error(ErrorCode::WrongKey, path + ": " + master.error().message());
  return repo::MasterSecret(std::move(master).value());
}

// A paper key of another repository fails to authenticate the config: that is the wrong key.
Error as_wrong_key(const Error& error) {
  if (error.code() != ErrorCode::AuthFailed) return error;
  return Error(ErrorCode::WrongKey, "the paper key does not open this repository");
}

Outcome run_key_import(Invocation& invocation) {
  PV_TRY(choose_new_credential(invocation.options));  // A wrong use, before anything is read.
  PV_TRY(require_repository(invocation));
  PV_TRY_ASSIGN(repo::MasterSecret master, read_paper_key(invocation.options.words()[0]));
  invocation.phase = Phase::Opening;
  const auto repository = repo::Repository::open_with_master(
      invocation.env, invocation.settings.repository, std::move(master));
  if (!repository) return as_wrong_key(repository.error());
  return add_new_key(invocation, **repository);
}

}  // namespace

const Command& key_import_command() {
  static const Command kCommand = {
      .name = "key import",
      .group = "Keys",
      .summary = "open with a paper key and add a new key",
      .arguments = "FILE",
      .arguments_min = 1,
      .arguments_max = 1,
      .description =
          "For the day when passphrase and key file are lost: type the printed line into a file "
          "(spaces and line breaks do not matter), or give /dev/stdin. The new key is what "
          "the --new- options name, else a passphrase asked for twice.",
      .options = new_credential_options(),
      .examples = {{"pagevault key import vault.paper", "sets a new passphrase"},
                   {"pagevault key import vault.paper --new-key-file ~/vault.key",
                    "makes a new key file"}},
      .exits = {ExitCode::NoRepository, ExitCode::WrongKey},
      .run = run_key_import};
  return kCommand;
}

}  // namespace pagevault::cli
