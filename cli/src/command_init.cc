#include <fmt/format.h>

#include "command.h"
#include "escape.h"
#include "json_text.h"
#include "opened_workspace.h"
#include "pagevault/repo/directory_store.h"

namespace pagevault::cli {
namespace {

// Before a key file is made or a passphrase asked for: is the place taken?
Status require_free_place(Invocation& invocation) {
  const std::string& location = invocation.settings.repository;
  const auto store = repo::open_directory_store(invocation.env, location);
  if (!store) return ok();
  return Error(ErrorCode::AlreadyExists, location + ": there is a repository already");
}

repo::InitOptions init_options(const Invocation& invocation) {
  repo::InitOptions out;
  const Options& options = invocation.options;
  out.label = options.text_or("label", "");
  out.key_label = options.text_or("key-label", "");
  if (const auto memory = options.text("kdf-memory")) {
    out.cost.memory_bytes = std::stoull(*memory) * kMiB;
  }
  return out;
}

void print_advice(Console& console, const std::string& created_file) {
  if (!created_file.empty()) {
    console.summary(fmt::format("created key file {} (readable by you alone)",
                                escape_for_terminal(created_file)));
  }
  console.summary("");
  console.summary("Without a key nobody can read this repository, you neither: if the passphrase");
  console.summary("or key file is lost, every backup in it is lost. So do now:");
  console.summary("  pagevault key add                      a second key, kept elsewhere");
  console.summary("  pagevault key export --output FILE     a paper key to print and lock away");
  console.summary("");
  console.summary("Encryption does not stop deletion: a host that may delete in the storage can");
  console.summary("destroy its backups when it is taken over. Against that use storage with");
  console.summary("snapshots of its own, object lock, or append-only access.");
}

Outcome run_init(Invocation& invocation) {
  const Settings& settings = invocation.settings;
  Console& console = invocation.console;
  PV_TRY(require_free_place(invocation));
  PV_TRY_ASSIGN(const NewCredential key,
                make_credential(invocation.env, settings.credential, console));
  invocation.phase = Phase::Running;
  PV_TRY(repo::Repository::init(invocation.env, settings.repository, key.credential,
                                init_options(invocation)));
  PV_TRY_ASSIGN(const auto repository,
                repo::Repository::open(invocation.env, settings.repository, key.credential));
  const std::string id = repository->config().id.hex();
  if (console.json()) {
    Json document = {{"message_type", "initialized"}, {"id", id}};
    put_name(document, "repository", settings.repository);
    if (!key.created_file.empty()) put_name(document, "created_key_file", key.created_file);
    console.json_line(document);
    return ExitCode::Ok;
  }
  console.summary(
      fmt::format("created repository {} at {}", id, escape_for_terminal(settings.repository)));
  print_advice(console, key.created_file);
  return ExitCode::Ok;
}

}  // namespace

const Command& init_command() {
  using enum OptionKind;
  static const Command kCommand = {
      .name = "init",
      .group = "Create",
      .summary = "create a repository",
      .arguments = "",
      .description =
          "Makes an encrypted repository in a folder that is empty or does not exist yet. The key "
          "you give opens it from then on: a passphrase, or a key file, which is created with mode "
          "0600 when it is missing. A key file opens the repository at once; a passphrase costs "
          "about 0.3 s each time, on purpose.",
      .options = {{"label", 0, Value, "TEXT", "a name for the repository, stored encrypted"},
                  {"key-label", 0, Value, "TEXT", "a name for the first key"},
                  {"kdf-memory",
                   0,
                   Value,
                   "MIB",
                   "memory a guess at the passphrase costs (default 64)",
                   {"64", "128", "256", "512"}}},
      .examples = {{"pagevault -r /mnt/nas/vault init", "asks for a passphrase, twice"},
                   {"pagevault -r /mnt/nas/vault --key-file ~/vault.key init",
                    "opens with a key file, made now; copy it to a safe place"}},
      .exits = {},
      .run = run_init};
  return kCommand;
}

}  // namespace pagevault::cli
