#include "backup_display.h"
#include "standard_input.h"
#include "terminal.h"

namespace pagevault::cli {
namespace {

Status check_name(const std::string& name) {
  const bool fit = repo::is_valid_entry_name(name);
  if (fit) return ok();
  return Error(ErrorCode::InvalidArgument,
               "--name: '" + name + "' is no file name (1 to 255 bytes, no '/')");
}

Outcome run_backup_stdin(Invocation& invocation) {
  const auto name = invocation.options.text("name");
  if (!name) return Error(ErrorCode::InvalidArgument, "'backup stdin' wants --name NAME");
  PV_TRY(check_name(*name));
  if (is_terminal(StandardStream::Input)) {
    return Error(ErrorCode::InvalidArgument, "standard input is a terminal: pipe data into it");
  }
  PV_TRY_ASSIGN(OpenedWorkspace opened, open_workspace(invocation));
  engine::BackupRequest request;
  request.stream_name = *name;
  request.stream = [&opened](MutableBytes out) {
    return read_standard_input(out, opened->cancel());
  };
  return run_backup_request(invocation, opened, std::move(request));
}

OptionSpecs backup_stdin_options() {
  OptionSpecs out = {
      {"name", 0, OptionKind::Value, "NAME", "file name of the stream in the snapshot (needed)"}};
  const OptionSpecs& common = common_backup_options();
  out.insert(out.end(), common.begin(), common.end());
  return out;
}

}  // namespace

const Command& backup_stdin_command() {
  static const Command kCommand = {
      .name = "backup stdin",
      .group = "Back up",
      .summary = "take a snapshot of a stream: a dump, a tar file",
      .arguments = "",
      .description =
          "Saves what arrives on standard input as one file. Use the shell's `set -o pipefail`: "
          "when the program before the pipe fails, its output so far is saved like any other "
          "stream. Leave compression to pagevault: compressed dumps do not deduplicate.",
      .options = backup_stdin_options(),
      .examples = {{"pg_dump shop | pagevault backup stdin --name shop.sql", "a logical dump"},
                   {"tar -C /srv -c app | pagevault backup stdin --name app.tar --tag weekly",
                    "an archive"},
                   {"pagevault dump latest /shop.sql | psql shop", "how to get it back"}},
      .exits = {ExitCode::Incomplete, ExitCode::NoRepository, ExitCode::Busy, ExitCode::WrongKey},
      .run = run_backup_stdin};
  return kCommand;
}

}  // namespace pagevault::cli
