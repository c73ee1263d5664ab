#include "backup_display.h"

#include <fmt/format.h>

#include "human_numbers.h"
#include "json_text.h"
#include "process_setup.h"

namespace pagevault::cli {
namespace {

class BackupDisplay final : public engine::BackupObserver {
 public:
  explicit BackupDisplay(Invocation& invocation)
      : console_(invocation.console), line_(invocation.env, invocation.console) {}

  void on_progress(const engine::BackupProgress& progress) override {
    line_.update({.items = progress.files_done,
                  .bytes = progress.bytes_done,
                  .done = progress.bytes_done,
                  .total = progress.bytes_total,
                  .current = progress.current});
  }
  bool wants_total() const override { return console_.shows_progress(); }
  void on_source_error(const engine::SourceError& problem) override {
    console_.item_error(item_error_document(problem.path, problem.error, "backup"),
                        source_error_text(problem));
  }
  void on_warning(const std::string& message) override { console_.warn(message); }

  std::int64_t elapsed_ns() const { return line_.elapsed_ns(); }

 private:
  Console& console_;
  ProgressLine line_;
};

Json cluster_json(const engine::ClusterReport& cluster) {
  return {{"system_identifier", fmt::format("{}", cluster.system_identifier)},
          {"timeline", cluster.timeline},
          {"start_lsn", cluster.start_lsn},
          {"end_lsn", cluster.end_lsn},
          {"incremental", cluster.incremental},
          {"why_full", cluster.why_full},
          {"blocks_changed", cluster.blocks_changed},
          {"files_taken_over", cluster.files_taken_over},
          {"files_refetched", cluster.files_refetched},
          {"repository_bytes_read", cluster.bytes_of_parent},
          {"wal_included", cluster.wal_included},
          {"doubts", cluster.doubts}};
}

void print_cluster(Console& console, const engine::ClusterReport& cluster) {
  console.summary(fmt::format("PostgreSQL system {}, timeline {}, WAL {} to {}{}",
                              cluster.system_identifier, cluster.timeline, cluster.start_lsn,
                              cluster.end_lsn.empty() ? "?" : cluster.end_lsn,
                              cluster.wal_included ? "" : ", not all of it included"));
  if (cluster.incremental) {
    console.summary(fmt::format("incremental: {} changed, {} as before; {} read of the repository",
                                human_plural(cluster.blocks_changed, "block"),
                                human_plural(cluster.files_taken_over, "file"),
                                human_bytes(cluster.bytes_of_parent)));
  } else if (!cluster.why_full.empty()) {
    console.summary(fmt::format("full backup: {}", cluster.why_full));
  }
  if (cluster.files_refetched > 0) {
    console.summary(fmt::format("fetched whole, as they were truncated: {}",
                                human_plural(cluster.files_refetched, "file")));
  }
}

Json summary_json(const engine::BackupReport& report, std::int64_t elapsed_ns) {
  const repo::SnapshotStats& stats = report.stats;
  Json out = {{"message_type", "summary"},
              {"dry_run", !report.snapshot.has_value()},
              {"files_new", stats.files_new},
              {"files_changed", stats.files_changed},
              {"files_unmodified", stats.files_unmodified},
              {"total_files_processed", stats.files},
              {"total_dirs_processed", stats.directories},
              {"total_others_processed", stats.others},
              {"total_bytes_processed", stats.bytes_source},
              {"bytes_read", stats.bytes_read},
              {"data_added", stats.bytes_new},
              {"chunks_added", report.chunks_new},
              {"chunks_added_as_delta", report.deltas},
              {"data_added_packed", stats.bytes_stored_data + stats.bytes_stored_meta},
              {"errors", stats.errors},
              {"incomplete", report.incomplete},
              {"total_duration", static_cast<double>(elapsed_ns) / 1e9}};
  if (report.cluster) out["postgres"] = cluster_json(*report.cluster);
  if (report.snapshot) out["snapshot_id"] = report.snapshot->hex();
  if (report.parent) out["parent"] = report.parent->hex();
  return out;
}

void print_summary(Console& console, const engine::BackupReport& report, std::int64_t elapsed_ns) {
  const repo::SnapshotStats& stats = report.stats;
  console.summary(report.parent ? fmt::format("parent snapshot {}", short_id(*report.parent))
                                : std::string("no parent snapshot: everything is read"));
  if (report.cluster) print_cluster(console, *report.cluster);
  console.summary(fmt::format("files: {} new, {} changed, {} unmodified",
                              human_count(stats.files_new), human_count(stats.files_changed),
                              human_count(stats.files_unmodified)));
  console.summary(fmt::format("directories: {}, other entries: {}", human_count(stats.directories),
                              human_count(stats.others)));
  console.summary(fmt::format("source: {}, of which {} were read", human_bytes(stats.bytes_source),
                              human_bytes(stats.bytes_read)));
  console.summary(fmt::format("added to the repository: {} ({} stored)",
                              human_bytes(stats.bytes_new),
                              human_bytes(stats.bytes_stored_data + stats.bytes_stored_meta)));
  if (report.deltas > 0) {
    console.summary(fmt::format("chunks: {} new, {} of them as differences",
                                human_count(report.chunks_new), human_count(report.deltas)));
  }
  console.summary(fmt::format("time: {}", human_duration(elapsed_ns)));
  console.summary(report.snapshot ? fmt::format("snapshot {} saved", short_id(*report.snapshot))
                                  : std::string("dry run: nothing was written"));
}

}  // namespace

// Messages of the file system begin with the path already.
std::string source_error_text(const engine::SourceError& problem) {
  if (problem.error.message().find(problem.path) != std::string::npos) {
    return problem.error.message();
  }
  return fmt::format("{}: {}", problem.path, problem.error.message());
}

const OptionSpecs& storing_options() {
  using enum OptionKind;
  static const OptionSpecs kSpecs = {
      {"tag", 0, List, "TEXT", "label the snapshot"},
      {"host", 0, Value, "NAME", "host name to record (default: this host's)"},
      {"compression",
       0,
       Value,
       "LEVEL",
       "how hard to compress (PAGEVAULT_COMPRESSION)",
       {"off", "fastest", "auto", "better", "max"}},
      {"delta",
       0,
       Value,
       "WHEN",
       "read what the parent has of a changed place, to store only the difference",
       {"auto", "always", "never"}},
      {"no-extra-verify",
       0,
       Flag,
       {},
       "do not decode every new piece again before it is stored (faster, less safe)"},
  };
  return kSpecs;
}

Status apply_storing_options(Invocation& invocation, engine::BackupRequest& request) {
  const Options& options = invocation.options;
  Env& env = invocation.env;
  request.tags = options.list("tag");
  request.host = options.text_or("host", env.host_name());
  request.user = env.user_name(current_user_id());
  if (request.user.empty()) request.user = fmt::format("{}", current_user_id());
  request.program = "pagevault " PAGEVAULT_VERSION;
  request.compression = invocation.settings.compression;
  PV_TRY_ASSIGN(request.delta, repo::delta_mode_from_name(options.text_or("delta", "auto")));
  request.extra_verify = !options.has("no-extra-verify");
  return ok();
}

const OptionSpecs& common_backup_options() {
  using enum OptionKind;
  static const OptionSpecs kSpecs = [] {
    OptionSpecs out = storing_options();
    out.push_back({"dry-run", 'n', Flag, {}, "read and compare, write nothing"});
    out.push_back({"parent", 0, Value, "SNAPSHOT",
                   "compare with this snapshot (default: newest of same host and paths)"});
    return out;
  }();
  return kSpecs;
}

Outcome run_backup_request(Invocation& invocation, OpenedWorkspace& opened,
                           engine::BackupRequest request) {
  PV_TRY(apply_storing_options(invocation, request));
  request.dry_run = invocation.options.has("dry-run");
  if (const auto parent = invocation.options.text("parent")) {
    PV_TRY_ASSIGN(const repo::StoredSnapshot stored,
                  choose_snapshot(invocation, opened->repository(), *parent));
    request.parent = stored.id;
  }
  Console& console = invocation.console;
  BackupDisplay display(invocation);
  PV_TRY_ASSIGN(const engine::BackupReport report, engine::run_backup(*opened, request, display));
  if (console.json()) {
    console.json_line(summary_json(report, display.elapsed_ns()));
  } else {
    print_summary(console, report, display.elapsed_ns());
  }
  if (!report.incomplete) return ExitCode::Ok;
  if (!console.json()) {
    console.warn(fmt::format("some sources could not be read as they were ({}); the rest is saved",
                             human_plural(report.stats.errors, "error")));
  }
  return ExitCode::Incomplete;
}

}  // namespace pagevault::cli
