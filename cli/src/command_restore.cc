#include <fmt/format.h>

#include "cluster_text.h"
#include "entry_text.h"
#include "escape.h"
#include "human_numbers.h"
#include "json_text.h"
#include "opened_workspace.h"
#include "pagevault/engine/restore.h"
#include "pagevault/sqlitesupport/database_check.h"
#include "process_setup.h"
#include "progress_line.h"
#include "tablespace_options.h"
#include "user_paths.h"

namespace pagevault::cli {
namespace {

std::string range_text(const engine::RestoreProblem& problem) {
  if (problem.length == 0) return {};
  return fmt::format(", bytes {} to {}", problem.offset, problem.offset + problem.length - 1);
}

class RestoreDisplay final : public engine::RestoreObserver {
 public:
  explicit RestoreDisplay(Invocation& invocation)
      : console_(invocation.console),
        line_(invocation.env, invocation.console),
        names_entries_(invocation.options.has("dry-run") || invocation.console.verbosity() > 1) {}

  void on_progress(const engine::RestoreProgress& progress) override {
    line_.update({.items = progress.files_done,
                  .bytes = progress.bytes_done,
                  .done = progress.bytes_done,
                  .total = progress.bytes_total});
  }
  void on_problem(const engine::RestoreProblem& problem) override {
    Json document = item_error_document(problem.path, problem.error, "restore");
    document["offset"] = problem.offset;
    document["length"] = problem.length;
    console_.item_error(document, fmt::format("{}{}: {}", problem.path, range_text(problem),
                                              problem.error.message()));
  }
  void on_entry(const std::string& path) override {
    if (!names_entries_ || console_.quiet()) return;
    if (!console_.json()) return console_.line(escape_for_terminal(path));
    Json document = {{"message_type", "entry"}};
    put_name(document, "item", path);
    console_.json_line(document);
  }
  void on_removal(const std::string& path) override {
    if (!names_entries_ || console_.quiet()) return;
    if (!console_.json()) return console_.line("remove " + escape_for_terminal(path));
    Json document = {{"message_type", "removal"}};
    put_name(document, "item", path);
    console_.json_line(document);
  }
  void on_warning(const std::string& text) override { console_.warn(text); }
  std::int64_t elapsed_ns() const { return line_.elapsed_ns(); }

 private:
  Console& console_;
  ProgressLine line_;
  bool names_entries_;
};

engine::Overwrite overwrite_of(const std::string& name) {
  if (name == "never") return engine::Overwrite::Never;
  return name == "if-changed" ? engine::Overwrite::IfChanged : engine::Overwrite::Always;
}

engine::RestoreRequest restore_request(const Options& options, const SnapshotPlace& place,
                                       const SnapshotId& snapshot, const std::string& target,
                                       engine::ClusterOptions cluster) {
  return {
      .snapshot = snapshot,
      .path = place.path,
      .target = absolute_path(working_directory(), target),
      .includes = options.list("include"),
      .excludes = options.list("exclude"),
      .overwrite = overwrite_of(options.text_or("overwrite", "always")),
      .verify = options.has("verify"),
      .delta = options.has("delta"),
      .dry_run = options.has("dry-run"),
      .allow_special = options.has("allow-special"),
      .check_database = [](const std::string& path) { return sqlitesupport::check_database(path); },
      .cluster = std::move(cluster)};
}

void print_json(Console& console, const engine::RestoreReport& report,
                const engine::RestoreRequest& request, std::int64_t elapsed_ns) {
  console.json_line({{"message_type", "summary"},
                     {"dry_run", request.dry_run},
                     {"delta", request.delta},
                     {"files_restored", report.files},
                     {"files_unchanged", report.files_unchanged},
                     {"files_skipped", report.files_skipped},
                     {"directories", report.directories},
                     {"others", report.others},
                     {"removed", report.removed},
                     {"bytes_compared", report.bytes_compared},
                     {"bytes_equal", report.bytes_equal},
                     {"bytes_zeroed", report.bytes_zeroed},
                     {"bytes_fetched", report.bytes_fetched},
                     {"bytes_written", report.bytes_written},
                     {"bytes_holes", report.bytes_holes},
                     {"databases_checked", report.databases_checked},
                     {"databases_unsound", report.databases_unsound},
                     {"damaged", report.damaged},
                     {"failed", report.failed},
                     {"metadata_skipped", report.metadata_skipped},
                     {"control_withheld", report.control_withheld},
                     {"total_duration", static_cast<double>(elapsed_ns) / 1e9}});
}

// What delta found: read at the target, and how much of it could stay.
void print_delta(Console& console, const engine::RestoreReport& report) {
  console.summary(fmt::format("compared: {}, equal: {} ({} unchanged), zeroed: {}, fetched: {}",
                              human_bytes(report.bytes_compared), human_bytes(report.bytes_equal),
                              human_plural(report.files_unchanged, "file"),
                              human_bytes(report.bytes_zeroed), human_bytes(report.bytes_fetched)));
}

void print_summary(Console& console, const engine::RestoreReport& report,
                   const engine::RestoreRequest& request, std::int64_t elapsed_ns) {
  console.summary(fmt::format("{}: {} ({} skipped), {} directories, {} other entries",
                              request.dry_run ? "would be restored" : "restored",
                              human_plural(report.files, "file"), human_count(report.files_skipped),
                              human_count(report.directories), human_count(report.others)));
  if (request.delta) print_delta(console, report);
  if (report.removed > 0) {
    console.summary(fmt::format("{}: {} that the snapshot has not",
                                request.dry_run ? "would be removed" : "removed",
                                human_plural(report.removed, "name")));
  }
  if (report.databases_checked > 0) {
    console.summary(fmt::format("checked by SQLite: {}, sound: {}",
                                human_plural(report.databases_checked, "database"),
                                human_count(report.databases_checked - report.databases_unsound)));
  }
  console.summary(fmt::format("{}: {}, left as holes: {}, time: {}",
                              request.dry_run ? "would be written" : "written",
                              human_bytes(report.bytes_written), human_bytes(report.bytes_holes),
                              human_duration(elapsed_ns)));
}

void warn_of_losses(Console& console, const engine::RestoreReport& report) {
  if (report.metadata_skipped > 0) {
    console.warn(
        fmt::format("{} could not be set (owner, attributes and the like; only root can "
                    "set all of them)",
                    human_plural(report.metadata_skipped, "piece") + " of metadata"));
  }
  if (report.damaged > 0) {
    console.warn(
        fmt::format("{} could not be restored whole; a damaged file is kept as "
                    "NAME.pv-damaged; everything else is as it was backed up",
                    human_plural(report.damaged, "damaged range")));
  }
  if (report.databases_unsound > 0) {
    console.warn(
        fmt::format("SQLite finds damage in {} restored exactly as backed up: the source was "
                    "damaged then; an older snapshot may be sound",
                    human_plural(report.databases_unsound, "database")));
  }
}

// What of a PostgreSQL snapshot is doubtful, and what a cluster made of it lacks.
void warn_of_cluster(Console& console, const repo::Snapshot& snapshot,
                     const engine::RestoreRequest& request) {
  if (!snapshot.postgres) return;
  for (const std::string& text : doubt_texts(*snapshot.postgres)) console.warn(text);
  if (!engine::restores_cluster(snapshot, request)) return;
  const std::string wal = missing_wal_text(*snapshot.postgres);
  if (!wal.empty()) console.warn(wal);
}

ExitCode exit_of(const engine::RestoreReport& report) {
  if (report.damaged + report.databases_unsound > 0) return ExitCode::Damage;
  return report.failed > 0 ? ExitCode::Fatal : ExitCode::Ok;
}

Outcome run_restore_command(Invocation& invocation) {
  const Options& options = invocation.options;
  const auto target = options.text("target");
  if (!target || target->empty()) {
    return Error(ErrorCode::InvalidArgument, "'restore' wants --target DIR: where to restore to");
  }
  if (options.has("delta") && options.text_or("overwrite", "always") == "never") {
    return Error(ErrorCode::InvalidArgument,
                 "--delta changes files that are there already, --overwrite never keeps them");
  }
  PV_TRY_ASSIGN(engine::ClusterOptions cluster, parse_cluster_options(options));
  const SnapshotPlace place = parse_snapshot_place(options.words()[0]);
  PV_TRY_ASSIGN(OpenedWorkspace opened, open_workspace(invocation));
  PV_TRY_ASSIGN(const repo::StoredSnapshot stored,
                choose_snapshot(invocation, opened->repository(), place.snapshot));
  const engine::RestoreRequest request =
      restore_request(options, place, stored.id, *target, std::move(cluster));
  RestoreDisplay display(invocation);
  PV_TRY_ASSIGN(const engine::RestoreReport report, engine::run_restore(*opened, request, display));
  if (invocation.console.json()) {
    print_json(invocation.console, report, request, display.elapsed_ns());
  } else {
    print_summary(invocation.console, report, request, display.elapsed_ns());
  }
  warn_of_losses(invocation.console, report);
  warn_of_cluster(invocation.console, stored.snapshot, request);
  return exit_of(report);
}

OptionSpecs restore_options() {
  using enum OptionKind;
  OptionSpecs specs = {
      {"target", 't', Value, "DIR", "folder to restore into, created when missing (needed)"},
      {"include", 'i', List, "PATTERN",
       "only what matches: a name, or a whole path when it has a '/'"},
      {"exclude", 'e', List, "PATTERN", "not what matches"},
      {"overwrite",
       0,
       Value,
       "WHEN",
       "replace files that are there already (default always)",
       {"always", "if-changed", "never"}},
      {"verify",
       0,
       Flag,
       {},
       "compare everything with its cryptographic hash as well; SQLite checks "
       "databases, too"},
      {"delta", 0, Flag, {}, "compare files that are there and write only what differs, in place"},
      {"dry-run", 'n', Flag, {}, "name what would be written, write nothing"},
      {"allow-special",
       0,
       Flag,
       {},
       "also device nodes, setuid and setgid bits and file capabilities"}};
  for (OptionSpec& each : cluster_option_specs()) specs.push_back(std::move(each));
  return specs;
}

}  // namespace

const Command& restore_command() {
  static const Command kCommand = {
      .name = "restore",
      .group = "Restore",
      .summary = "restore a snapshot, or a part of it, into a folder",
      .arguments = "SNAPSHOT[:PATH]",
      .arguments_min = 1,
      .arguments_max = 1,
      .description =
          "Writes below --target and nowhere else: /srv/app of the snapshot becomes "
          "TARGET/srv/app. With :PATH the content of that folder (or that one file) goes straight "
          "into TARGET. A file appears under its name only when it is complete. Owners, modes, "
          "times, attributes, links and holes are restored; owners need root. Files below TARGET "
          "that "
          "the snapshot has not are left alone. With --delta a file that is there already is read "
          "and changed in place where it differs; with --overwrite if-changed those of equal size "
          "and time are not even read. Interrupted, it leaves that file partly changed: run it "
          "again. If ranges cannot be restored the file becomes NAME.pv-damaged and keeps its old "
          "bytes there.\n"
          "A database taken by `backup sqlite` is complete by itself: an old -wal, -shm or "
          "-journal "
          "beside its name is removed first. It is refused while another process has it open: stop "
          "the application before. (With a rollback journal that shows only during transactions.)\n"
          "All of a PostgreSQL snapshot becomes a data directory that starts: TARGET is empty, or "
          "with --delta an old data directory of the cluster whose server is stopped, from which "
          "everything is removed that the snapshot has not. Tablespaces go where --tablespace-map "
          "says, never by themselves to where they were. recovery.signal is left for the server, "
          "with a restore_command that finds nothing unless --recovery-option gives one. "
          "global/pg_control is written last, and only when everything else is there.",
      .options = restore_options(),
      .examples = {{"pagevault restore latest --target /tmp/restored", "everything"},
                   {"pagevault restore 3f2a91c0:/srv/app --target /srv/app --overwrite if-changed",
                    "one folder, back in place"},
                   {"pagevault restore latest:/srv/app -t /srv/app --delta",
                    "the same, writing only what differs"},
                   {"pagevault restore latest -t /tmp/x --include '*.db'", "databases only"},
                   {"pagevault restore latest -t /var/lib/postgresql/17/main --delta "
                    "--tablespace-map all=/srv/spaces",
                    "a PostgreSQL cluster over its old data directory"}},
      .exits = {ExitCode::NoRepository, ExitCode::Busy, ExitCode::WrongKey, ExitCode::Damage},
      .run = run_restore_command};
  return kCommand;
}

}  // namespace pagevault::cli
