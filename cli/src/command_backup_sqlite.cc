#include <fmt/format.h>

#include <memory>
#include <optional>

#include "backup_display.h"
#include "database_paths.h"
#include "pagevault/sqlitesupport/transaction_process.h"
#include "process_setup.h"

namespace pagevault::cli {
namespace {

struct SqliteAndVault {
  std::unique_ptr<sqlitesupport::TransactionSource> transactions;
  std::optional<OpenedWorkspace> opened;
};

// The helper loads while the repository is opened: each takes some 10 ms, and a step not much more.
Result<SqliteAndVault> open_both(Invocation& invocation) {
  using Started = Result<std::unique_ptr<sqlitesupport::TransactionSource>>;
  std::optional<Started> started;
  const auto starter = invocation.env.make_executor(1, 1);
  starter->submit([&started] { started.emplace(sqlitesupport::start_transaction_process()); });
  auto opened = open_workspace(invocation);
  starter->wait_idle();
  PV_TRY(opened);
  PV_TRY_ASSIGN(auto transactions, std::move(*started));
  SqliteAndVault out;
  out.transactions = std::move(transactions);
  out.opened.emplace(std::move(opened).value());
  return out;
}

Outcome run_backup_sqlite(Invocation& invocation) {
  const Options& options = invocation.options;
  PV_TRY_ASSIGN(Databases databases, databases_of(options, "backup sqlite"));
  engine::BackupRequest request;
  request.paths = std::move(databases.paths);
  request.recorded_paths = std::move(databases.recorded);
  request.force = options.has("force");
  request.paranoid = options.has("paranoid");
  PV_TRY_ASSIGN(SqliteAndVault both, open_both(invocation));
  const auto& transactions = both.transactions;
  invocation.console.detail(fmt::format("SQLite {}, read-only; never makes a checkpoint",
                                        transactions->sqlite_version()));
  request.databases = {.transactions = transactions.get(),
                       .together = options.has("together"),
                       .as_file = options.has("as-file")};
  return run_backup_request(invocation, *both.opened, std::move(request));
}

OptionSpecs backup_sqlite_options() {
  using enum OptionKind;
  OptionSpecs out = {
      {"glob", 0, List, "PATTERN",
       "databases that match, looked up at each backup; quote it: 'tenants/*.db'"},
      {"together", 0, Flag, {}, "all databases as they were at one instant"},
      {"as-file", 0, Flag, {}, "store what is no SQLite database, or an encrypted one, as a file"},
      {"force", 'f', Flag, {}, "compare all of every database, whatever its log says"},
      {"paranoid", 0, Flag, {}, "compare by cryptographic hash instead of fingerprint; reads all"},
  };
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
