#include <fmt/format.h>

#include "backup_display.h"
#include "database_paths.h"
#include "human_numbers.h"
#include "json_text.h"
#include "pagevault/engine/watch.h"
#include "pagevault/sqlitesupport/transaction_process.h"
#include "timestamps.h"
#include "user_paths.h"
#include "watched_repository.h"

namespace pagevault::cli {
namespace {

Json snapshot_json(const engine::WatchedSnapshot& snapshot) {
  const engine::BackupReport& report = snapshot.report;
  const repo::SnapshotStats& stats = report.stats;
  Json out = {{"message_type", "snapshot"},
              {"snapshot_id", report.snapshot->hex()},
              {"time", rfc3339_time(snapshot.begun_ns)},
              {"databases", stats.files}};
  if (report.pages_changed) out["pages_changed"] = *report.pages_changed;
  out["total_bytes_processed"] = stats.bytes_source;
  out["bytes_read"] = stats.bytes_read;
  out["data_added"] = stats.bytes_new;
  out["data_added_packed"] = stats.bytes_stored_data + stats.bytes_stored_meta;
  out["errors"] = stats.errors;
  out["incomplete"] = report.incomplete;
  out["total_duration"] = static_cast<double>(snapshot.duration_ns) / 1e9;
  return out;
}

class WatchDisplay final : public engine::WatchObserver {
 public:
  explicit WatchDisplay(Console& console) : console_(console) {}

  void on_snapshot(const engine::WatchedSnapshot& snapshot) override {
    console_.json_line(snapshot_json(snapshot));
    // Line by line, for whoever reads them. When nobody does, snapshots are still worth taking.
    const Status written = console_.finish();
    if (!written && !output_lost_) console_.warn(written.error().message());
    output_lost_ = !written;
  }
  void on_outage(const Error& error) override {
    console_.warn(fmt::format("no snapshots can be taken: {}; trying on", error.message()));
  }
  void on_outage_over() override { console_.warn("snapshots are taken again"); }
  void on_database_problem(const engine::SourceError& problem) override {
    console_.item_error(item_error_document(problem.path, problem.error, "watch"),
                        source_error_text(problem));
  }
  void on_database_back(const std::string& path) override {
    console_.warn(fmt::format("{}: is saved again", path));
  }
  void on_warning(const std::string& text) override { console_.warn(text); }

 private:
  Console& console_;
  bool output_lost_ = false;
};

// A wrong path shall not be waited for.
Status require_databases(Env& env, const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    const FilePlace place = split_file_path(path);
    PV_TRY_ASSIGN(const auto folder, env.open_dir(place.folder));
    PV_TRY(folder->stat(place.name));
  }
  return ok();
}

Result<engine::BackupReport> take_snapshot(WatchedRepository& repository,
                                           engine::BackupRequest request,
                                           engine::BackupObserver& observer) {
  // One for each snapshot: nothing of SQLite is open between them, and none that died is missed.
  PV_TRY_ASSIGN(auto helper, sqlitesupport::StartingProcess::start());
  PV_TRY_ASSIGN(const auto workspace, repository.open());
  PV_TRY_ASSIGN(const auto transactions, helper.take());
  request.databases->transactions = transactions.get();
  return engine::run_backup(*workspace, request, observer);
}

Outcome run_watch_command(Invocation& invocation) {
  const Options& options = invocation.options;
  CancelToken cancel;
  const CancelOnSignal guard(cancel);
  engine::WatchRequest watch;
  const std::string interval = options.text_or("every", "10s");
  PV_TRY_ASSIGN(watch.every_ns,
                parse_interval(interval).context(fmt::format("--every {}", interval)));
  PV_TRY_ASSIGN(const Databases first, databases_of(options, "watch"));
  PV_TRY(require_databases(invocation.env, first.paths));
  engine::BackupRequest request;
  PV_TRY(apply_storing_options(invocation, request));
  request.recorded_paths = first.recorded;
  request.databases = {.together = options.has("together"), .as_file = options.has("as-file")};
  PV_TRY_ASSIGN(WatchedRepository repository, WatchedRepository::create(invocation, cancel));

  watch.databases = [&]() -> Result<std::vector<std::string>> {
    PV_TRY_ASSIGN(Databases now, databases_of(options, "watch"));
    return std::move(now.paths);
  };
  watch.backup = [&](const std::vector<std::string>& paths, engine::BackupObserver& observer) {
    request.paths = paths;
    return take_snapshot(repository, request, observer);
  };
  WatchDisplay display(invocation.console);
  const Status ended = engine::run_watch(invocation.env, watch, display, cancel);
  if (ended.error().code() != ErrorCode::Cancelled) return ended.error();
  return ExitCode::Ok;
}

OptionSpecs watch_options() {
  using enum OptionKind;
  OptionSpecs out = {
      {"every", 0, Value, "TIME", "look this often: 10s, 5m, 1h (default 10s, at least 1s)"},
  };
  out.insert(out.end(), database_options().begin(), database_options().end());
  out.insert(out.end(), storing_options().begin(), storing_options().end());
  return out;
}

}  // namespace

const Command& watch_command() {
  static const Command kCommand = {
      .name = "watch",
      .group = "Back up",
      .summary = "take a snapshot of SQLite databases whenever they changed",
      .arguments = "[DATABASE...]",
      .arguments_max = SIZE_MAX,
      .description =
          "Runs in the foreground, for a service manager or a container, until SIGTERM or SIGINT, "
          "which end it with code 0. A look that finds no change touches neither database nor "
          "repository; between snapshots nothing is kept open. Each snapshot is one line of JSON "
          "on standard output.\n"
          "When the repository is away, full or busy, it says so once, tries again at growing "
          "intervals of up to five minutes and goes on for ever; so with a database that vanishes. "
          "A wrong key, or a database that is not there at the start, ends it.",
      .options = watch_options(),
      .examples = {{"pagevault watch /srv/app/app.db", "looks every ten seconds"},
                   {"pagevault watch --glob '/srv/tenants/*.db' --every 1m --tag watch",
                    "all that there are, once a minute at most"}},
      .exits = {ExitCode::WrongKey, ExitCode::Damage},
      .run = run_watch_command};
  return kCommand;
}

}  // namespace pagevault::cli
