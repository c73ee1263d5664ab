#include <algorithm>

#include "opened_workspace.h"
#include "pagevault/engine/restore.h"
#include "terminal.h"

namespace pagevault::cli {
namespace {

bool is_text(ByteView bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) {
    const auto c = std::to_integer<unsigned>(b);
    return c >= 0x20 ? c != 0x7F : c == '\n' || c == '\t' || c == '\r';
  });
}

Outcome run_dump(Invocation& invocation) {
  const std::vector<std::string>& words = invocation.options.words();
  Console& console = invocation.console;
  PV_TRY_ASSIGN(OpenedWorkspace opened, open_workspace(invocation));
  PV_TRY_ASSIGN(const repo::StoredSnapshot stored,
                choose_snapshot(invocation, opened->repository(), words[0]));
  const bool guard = is_terminal(StandardStream::Output) && !invocation.options.has("force");
  const auto sink = [&](ByteView bytes) -> Status {
    PV_TRY(opened->cancel().check());
    if (guard && !is_text(bytes)) {
      return Error(ErrorCode::Unsupported,
                   "this is no plain text and would upset the terminal: redirect it into a file "
                   "or pipe, or give --force");
    }
    return console.raw(bytes);
  };
  PV_TRY(engine::dump_file(*opened, stored.id, words[1], sink));
  return ExitCode::Ok;
}

}  // namespace

const Command& dump_command() {
  static const Command kCommand = {
      .name = "dump",
      .group = "Restore",
      .summary = "write one file of a snapshot to standard output",
      .arguments = "SNAPSHOT PATH",
      .arguments_min = 2,
      .arguments_max = 2,
      .description =
          "The bytes of the file, nothing else. When a part cannot be read the output ends before "
          "it and the exit code is 20: look at the exit code before you use what came out.",
      .options = {{"force", 'f', OptionKind::Flag, {}, "also write binary data to a terminal"}},
      .examples = {{"pagevault dump latest /shop.sql | psql shop", "load a dump again"},
                   {"pagevault dump latest~3 /srv/app/orders.db > orders.db", "one file, older"}},
      .exits = {ExitCode::NoRepository, ExitCode::WrongKey, ExitCode::Damage},
      .run = run_dump};
  return kCommand;
}

}  // namespace pagevault::cli
