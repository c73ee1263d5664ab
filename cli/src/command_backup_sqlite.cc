#include <fmt/format.h>

#include "backup_display.h"
#include "database_paths.h"
#include "pagevault/sqlitesupport/transaction_process.h"

namespace pagevault::cli {
namespace {

Outcome run_backup_sqlite(Invocation& invocation) {
  const Options& options = invocation.options;
  // Loads while we look for databases and open the repository: some milliseconds each.
  PV_TRY_ASSIGN(auto helper, sqlitesupport::StartingProcess::start());
  PV_TRY_ASSIGN(Databases databases, databases_of(options, "backup sqlite"));
  engine::BackupRequest request;
  request.paths = std::move(databases.paths);
  request.recorded_paths = std::move(databases.recorded);
  request.force = options.has("force");
  request.paranoid = options.has("paranoid");
  PV_TRY_ASSIGN(OpenedWorkspace opened, open_workspace(invocation));
  PV_TRY_ASSIGN(const auto transactions, helper.take());
  invocation.console.detail(fmt::format("SQLite {}, read-only; never makes a checkpoint",
                                        transactions->sqlite_version()));
  request.databases = {.transactions = transactions.get(),
                       .together = options.has("together"),
                       .as_file = options.has("as-file")};
  return run_backup_request(invocation, opened, std::move(request));
}

OptionSpecs backup_sqlite_options() {
  using enum OptionKind;
  OptionSpecs out = database_options();
  const OptionSpecs own = {
      {"force", 'f', Flag, {}, "compare all of every database, whatever its log says"},
      {"paranoid", 0, Flag, {}, "compare by cryptographic hash instead of fingerprint; reads all"},
  };
  out.insert(out.end(), own.begin(), own.end());
  const OptionSpecs& common = common_backup_options();
  out.insert(out.end(), common.begin(), common.end());
  return out;
}

}  // namespace

const Command& backup_sqlite_command() {
  static const Command kCommand = {
      .name = "backup sqlite",
      .group = "Back up",
      .summary = "take a snapshot of SQLite databases while they are in use",
      .arguments = "[DATABASE...]",
      .arguments_max = SIZE_MAX,
      .description =
          "Saves each database as one read transaction sees it, with what is in its write-ahead "
          "log. Nothing is written to it and no checkpoint is made. In WAL mode writers go on "
          "undisturbed; with a rollback journal they wait while it is read. Only what changed "
          "since the last snapshot is stored, and only that is read where the log tells.\n"
          "A database whose writer crashed must be opened by its application once before; what "
          "cannot be read is named, the rest is saved, and the exit code is 3.",
      .options = backup_sqlite_options(),
      .examples = {{"pagevault backup sqlite /srv/app/app.db", "one database, live"},
                   {"pagevault backup sqlite --glob '/srv/tenants/*.db' --tag hourly",
                    "all that there are now, in one snapshot"},
                   {"pagevault backup sqlite users.db orders.db --together",
                    "both as they were at one instant"},
                   {"pagevault restore latest --target /tmp/out", "how to get them back"}},
      .exits = {ExitCode::Incomplete, ExitCode::NoRepository, ExitCode::Busy, ExitCode::WrongKey,
                ExitCode::Damage},
      .run = run_backup_sqlite};
  return kCommand;
}

}  // namespace pagevault::cli
