#include "escape.h"
#include "json_text.h"
#include "opened_workspace.h"
#include "process_setup.h"
#include "user_file.h"
#include "user_paths.h"

namespace pagevault::cli {
namespace {

Outcome run_key_export(Invocation& invocation) {
  const auto output = invocation.options.text("output");
  if (!output || output->empty()) {
    return Error(ErrorCode::InvalidArgument, "'key export' wants --output FILE, or - to print it");
  }
  PV_TRY_ASSIGN(const auto repository, open_repository(invocation));
  const SecretBytes paper = repo::format_paper_key(repository->keys().master().expose());
  Console& console = invocation.console;
  if (*output == "-") {
    PV_TRY(console.raw(paper.expose()));
    return ExitCode::Ok;
  }
  PV_TRY(create_secret_file(invocation.env, *output, paper.expose()).context("paper key"));
  if (console.json()) {
    Json document = {{"message_type", "summary"}};
    put_name(document, "output", *output);
    console.json_line(document);
  }
  console.summary("wrote the paper key to " + escape_for_terminal(*output));
  console.summary(
      "It opens the repository without any other key, and cannot be revoked: print it,");
  console.summary("lock it away, and delete the file.");
  return ExitCode::Ok;
}

}  // namespace

const Command& key_export_command() {
  static const Command kCommand = {
      .name = "key export",
      .group = "Keys",
      .summary = "write the paper key: the last resort when all keys are lost",
      .arguments = "",
      .description =
          "The paper key is the repository's master secret as one line of text with a checksum. "
          "It opens the repository even when every key slot is gone, and stays valid for ever.",
      .options = {{"output", 'o', OptionKind::Value, "FILE",
                   "new file of mode 0600, or - for standard output (needed)"}},
      .examples = {{"pagevault key export --output vault.paper", "into a file, to print it"},
                   {"pagevault key export --output - | lp", "straight to the printer"}},
      .exits = {ExitCode::NoRepository, ExitCode::WrongKey},
      .run = run_key_export};
  return kCommand;
}

}  // namespace pagevault::cli
