#include <algorithm>

#include "opened_workspace.h"
#include "pagevault/base/anonymous_file.h"
#include "pagevault/engine/restore.h"
#include "pagevault/sqlitesupport/database_check.h"
#include "terminal.h"

namespace pagevault::cli {
namespace {

bool is_text(ByteView bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) {
    const auto c = std::to_integer<unsigned>(b);
    return c >= 0x20 ? c != 0x7F : c == '\n' || c == '\t' || c == '\r';
  });
}

// To standard output; binary data not to a terminal.
class GuardedOutput {
 public:
  GuardedOutput(Invocation& invocation, engine::Workspace& workspace)
      : console_(invocation.console),
        workspace_(workspace),
        guard_(is_terminal(StandardStream::Output) && !invocation.options.has("force")) {}

  Status write(ByteView bytes) const {
    PV_TRY(workspace_.cancel().check());
    if (guard_ && !is_text(bytes)) {
      return Error(ErrorCode::Unsupported,
                   "this is no plain text and would upset the terminal: redirect it into a file "
                   "or pipe, or give --force");
    }
    return console_.raw(bytes);
  }

 private:
  Console& console_;
  engine::Workspace& workspace_;
  bool guard_;
};

// SQLite works in its helper process, which wants the whole database as a file.
Status dump_as_sql(const std::string& temporary_dir, engine::Workspace& workspace,
                   const repo::StoredSnapshot& stored, const std::string& path,
                   const GuardedOutput& output) {
  PV_TRY(workspace.refresh_index());
  PV_TRY_ASSIGN(const repo::Entry entry, engine::find_entry(workspace, stored.snapshot, path));
  PV_TRY_ASSIGN(AnonymousFile file, AnonymousFile::create(entry.info.size, temporary_dir));
  const auto keep = [&](ByteView bytes) -> Status {
    PV_TRY(workspace.cancel().check());
    return file.append(bytes);
  };
  PV_TRY(engine::dump_file(workspace, stored.id, path, keep));
  const auto print = [&](std::string_view text) { return output.write(as_bytes(text)); };
  return sqlitesupport::dump_sql_of(file.fd(), print).context(path);
}

class Warnings final : public engine::RestoreObserver {
 public:
  explicit Warnings(Console& console) : console_(console) {}
  void on_warning(const std::string& text) override { console_.warn(text); }

 private:
  Console& console_;
};

Status check_words(const Options& options) {
  const bool whole = options.has("tar");
  if (whole && options.has("sql")) {
    return Error(ErrorCode::InvalidArgument, "--tar is for a whole snapshot, --sql for one file");
  }
  if (options.words().size() == (whole ? 1U : 2U)) return ok();
  return Error(ErrorCode::InvalidArgument,
               whole ? "with --tar 'dump' writes the whole snapshot and takes no PATH"
                     : "'dump' wants SNAPSHOT and PATH, or --tar and SNAPSHOT");
}

Outcome run_dump(Invocation& invocation) {
  const std::vector<std::string>& words = invocation.options.words();
  PV_TRY(check_words(invocation.options));
  PV_TRY_ASSIGN(OpenedWorkspace opened, open_workspace(invocation));
  PV_TRY_ASSIGN(const repo::StoredSnapshot stored,
                choose_snapshot(invocation, opened->repository(), words[0]));
  const GuardedOutput output(invocation, *opened);
  if (invocation.options.has("tar")) {
    Warnings warnings(invocation.console);
    const auto sink = [&](ByteView bytes) { return output.write(bytes); };
    PV_TRY(engine::dump_tar(*opened, stored.id, sink, warnings));
  } else if (invocation.options.has("sql")) {
    PV_TRY(dump_as_sql(invocation.settings.temporary_dir, *opened, stored, words[1], output));
  } else {
    const auto sink = [&](ByteView bytes) { return output.write(bytes); };
    PV_TRY(engine::dump_file(*opened, stored.id, words[1], sink));
  }
  return ExitCode::Ok;
}

}  // namespace

const Command& dump_command() {
  static const Command kCommand = {
      .name = "dump",
      .group = "Restore",
      .summary = "write one file of a snapshot, or all as tar, to standard output",
      .arguments = "SNAPSHOT [PATH]",
      .arguments_min = 1,
      .arguments_max = 2,
      .description =
          "The bytes of the file, nothing else. When a part cannot be read the output ends before "
          "it and the exit code is 20: look at the exit code before you use what came out.\n"
          "With --sql a SQLite database comes as SQL text that makes it again. It is put into a "
          "file "
          "without a name meanwhile, from 64 MiB on below TMPDIR.\n"
          "With --tar the whole snapshot comes as a tar archive, owners as numbers. Of a "
          "PostgreSQL "
          "snapshot that is a data directory, tablespaces as plain folders in pg_tblspc. Cut short "
          "it has no end mark, which tar notices.",
      .options = {{"force", 'f', OptionKind::Flag, {}, "also write binary data to a terminal"},
                  {"sql", 0, OptionKind::Flag, {}, "a SQLite database as SQL text"},
                  {"tar", 0, OptionKind::Flag, {}, "the whole snapshot as a tar archive"}},
      .examples = {{"pagevault dump latest /shop.sql | psql shop", "load a dump again"},
                   {"pagevault dump latest~3 /srv/app/orders.db > orders.db", "one file, older"},
                   {"pagevault dump --sql latest /srv/app/app.db | sqlite3 new.db",
                    "a database, made anew"},
                   {"pagevault dump latest --tar | ssh db2 tar -x -C /srv/pgdata",
                    "a PostgreSQL cluster, on another host"}},
      .exits = {ExitCode::NoRepository, ExitCode::WrongKey, ExitCode::Damage},
      .run = run_dump};
  return kCommand;
}

}  // namespace pagevault::cli
