#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "cluster_text.h"
#include "database_totals.h"
#include "entry_text.h"
#include "escape.h"
#include "human_numbers.h"
#include "json_text.h"
#include "opened_workspace.h"
#include "process_setup.h"
#include "table_text.h"
#include "timestamps.h"
#include "user_paths.h"

namespace pagevault::cli {
namespace {

// Same host, all the tags, all the paths.
bool is_wanted(const repo::Snapshot& snapshot, const Options& options) {
  const auto has_tag = [&](const std::string& tag) {
    return std::ranges::find(snapshot.tags, tag) != snapshot.tags.end();
  };
  const std::string here = working_directory();
  const auto has_path = [&](const std::string& path) {
    return std::ranges::find(snapshot.paths, absolute_path(here, path)) != snapshot.paths.end();
  };
  return snapshot.host == options.text_or("host", snapshot.host) &&
         std::ranges::all_of(options.list("tag"), has_tag) &&
         std::ranges::all_of(options.list("path"), has_path);
}

Result<std::size_t> wanted_count(const Options& options) {
  const std::string text = options.text_or("latest", fmt::format("{}", SIZE_MAX));
  std::size_t count = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (problem == std::errc{} && end == text.data() + text.size() && count > 0) return count;
  return Error(ErrorCode::InvalidArgument, fmt::format("--latest: '{}' is no count", text));
}

std::string escaped_list(const std::vector<std::string>& texts) {
  std::vector<std::string> out;
  out.reserve(texts.size());
  for (const std::string& text : texts) out.push_back(escape_for_terminal(text));
  return fmt::format("{}", fmt::join(out, ", "));
}

// Of the snapshots of databases; of the others, and where nobody asked, nothing.
using Totals = std::map<SnapshotId, DatabaseTotals>;

bool has_databases(const repo::StoredSnapshot& stored) {
  return stored.snapshot.kind == repo::SnapshotKind::Sqlite;
}

std::string pages_text(const DatabaseTotals* totals) {
  if (totals == nullptr) return "";
  return totals->pages_changed ? fmt::format("{} ({} changed)", human_count(totals->pages),
                                             human_count(*totals->pages_changed))
                               : human_count(totals->pages);
}

const DatabaseTotals* find_totals(const Totals& totals, const SnapshotId& id) {
  const auto found = totals.find(id);
  return found == totals.end() ? nullptr : &found->second;
}

std::string kind_text(const repo::Snapshot& snapshot) {
  std::vector<std::string_view> marks;
  if (snapshot.incomplete) marks.emplace_back("part");
  if (snapshot.postgres && doubt_count(*snapshot.postgres) > 0) marks.emplace_back("doubts");
  if (marks.empty()) return std::string(kind_name(snapshot.kind));
  return fmt::format("{} ({})", kind_name(snapshot.kind), fmt::join(marks, ", "));
}

// Columns for PostgreSQL; cells are empty for other snapshots.
class ClusterColumns {
 public:
  ClusterColumns(const std::vector<repo::StoredSnapshot>& snapshots, bool detailed)
      : shown_(std::ranges::any_of(snapshots, has_record)), detailed_(detailed) {}

  void add_headings(std::vector<TableText::Column>& columns) const {
    if (!shown_) return;
    columns.push_back({"PostgreSQL"});
    if (!detailed_) return;
    columns.push_back({"Timeline", TableText::Align::Right});
    for (const char* const heading : {"Start LSN", "End LSN", "System ID"}) {
      columns.push_back({heading});
    }
  }
  void add_cells(const repo::Snapshot& snapshot, std::vector<std::string>& cells) const {
    if (!shown_) return;
    if (!snapshot.postgres) {
      cells.resize(cells.size() + (detailed_ ? 5 : 1));
      return;
    }
    const repo::PostgresRecord& record = *snapshot.postgres;
    cells.push_back(cluster_cell(record));
    if (!detailed_) return;
    cells.push_back(fmt::format("{}", record.timeline));
    cells.push_back(lsn_text(record.start_lsn));
    cells.push_back(lsn_text(record.end_lsn));
    cells.push_back(fmt::format("{}", record.system_identifier));
  }

 private:
  static bool has_record(const repo::StoredSnapshot& stored) {
    return stored.snapshot.postgres.has_value();
  }

  bool shown_;
  bool detailed_;
};

void print_table(Console& console, const std::vector<repo::StoredSnapshot>& snapshots,
                 const Totals& totals) {
  using enum TableText::Align;
  const ClusterColumns clusters(snapshots, console.verbosity() > 0);
  std::vector<TableText::Column> columns = {{"ID"},   {"Time"}, {"Host"},
                                            {"Tags"}, {"Kind"}, {"Size", Right}};
  if (!totals.empty()) columns.push_back({"Pages", Right});
  clusters.add_headings(columns);
  columns.push_back({"Paths"});
  TableText table(columns);
  for (const repo::StoredSnapshot& stored : snapshots) {
    const repo::Snapshot& snapshot = stored.snapshot;
    std::vector<std::string> cells = {short_id(stored.id),
                                      local_time(snapshot.committed_ns),
                                      escape_for_terminal(snapshot.host),
                                      escaped_list(snapshot.tags),
                                      kind_text(snapshot),
                                      human_bytes(snapshot.stats.bytes_source)};
    if (!totals.empty()) cells.push_back(pages_text(find_totals(totals, stored.id)));
    clusters.add_cells(snapshot, cells);
    cells.push_back(escaped_list(snapshot.paths));
    table.add(std::move(cells));
  }
  for (const std::string& line : table.lines()) console.line(line);
  console.line(human_plural(snapshots.size(), "snapshot"));
}

// With -v, on standard error.
void print_doubts(Console& console, const std::vector<repo::StoredSnapshot>& snapshots) {
  for (const repo::StoredSnapshot& stored : snapshots) {
    if (!stored.snapshot.postgres) continue;
    for (const std::string& doubt : doubt_texts(*stored.snapshot.postgres)) {
      console.detail(fmt::format("{}: {}", short_id(stored.id), doubt));
    }
  }
}

void print_json(Console& console, const std::vector<repo::StoredSnapshot>& snapshots,
                const Totals& totals) {
  JsonArray array(console);
  for (const repo::StoredSnapshot& stored : snapshots) {
    Json document = snapshot_json(stored);
    if (const DatabaseTotals* const found = find_totals(totals, stored.id)) {
      Json& out = document["databases"];
      out = {{"count", found->databases}, {"pages", found->pages}};
      if (found->pages_changed) out["pages_changed"] = *found->pages_changed;
    }
    array.add(document);
  }
  array.end();
}

struct TotalsRead {
  Totals totals;
  bool damaged = false;
};

// The snapshots alone do not say: their folders, and so the index, have to be read.
Result<TotalsRead> read_totals(Invocation& invocation, std::unique_ptr<repo::Repository> repository,
                               const std::vector<repo::StoredSnapshot>& snapshots) {
  TotalsRead out;
  PV_TRY_ASSIGN(OpenedWorkspace opened, open_workspace(invocation, std::move(repository)));
  PV_TRY(opened->refresh_index());
  for (const repo::StoredSnapshot& stored : snapshots) {
    if (!has_databases(stored)) continue;
    const auto totals = database_totals(*opened, stored.snapshot);
    if (totals) {
      out.totals.emplace(stored.id, *totals);
    } else if (totals.error().code() == ErrorCode::Cancelled) {
      return totals.error();
    } else {
      invocation.console.warn(
          fmt::format("databases of {}: {}", short_id(stored.id), totals.error().message()));
      out.damaged = true;
    }
  }
  return out;
}

Outcome run_snapshots(Invocation& invocation) {
  PV_TRY_ASSIGN(const std::size_t count, wanted_count(invocation.options));
  PV_TRY_ASSIGN(auto repository, open_repository(invocation));
  PV_TRY_ASSIGN(repo::SnapshotListing listing, list_snapshots(invocation, *repository));
  std::vector<repo::StoredSnapshot>& snapshots = listing.snapshots;
  std::erase_if(snapshots, [&](const repo::StoredSnapshot& stored) {
    return !is_wanted(stored.snapshot, invocation.options);
  });
  if (snapshots.size() > count) {
    snapshots.erase(snapshots.begin(), snapshots.end() - static_cast<std::ptrdiff_t>(count));
  }
  const Console& console = invocation.console;
  TotalsRead read;
  if ((console.json() || console.verbosity() > 0) &&
      std::ranges::any_of(snapshots, has_databases)) {
    PV_TRY_ASSIGN(read, read_totals(invocation, std::move(repository), snapshots));
  }
  if (console.json()) {
    print_json(invocation.console, snapshots, read.totals);
  } else {
    print_table(invocation.console, snapshots, read.totals);
    print_doubts(invocation.console, snapshots);
  }
  return listing.damaged.empty() && !read.damaged ? ExitCode::Ok : ExitCode::Damage;
}

}  // namespace

const Command& snapshots_command() {
  using enum OptionKind;
  static const Command kCommand = {
      .name = "snapshots",
      .group = "Look",
      .summary = "list the snapshots",
      .arguments = "",
      .description =
          "Oldest first. The first eight digits of an id name a snapshot for every command; so do "
          "`latest`, `latest~1` (the one before) and a time like 2026-11-20T12:00:00Z (the newest "
          "at or before it). \"(part)\" marks snapshots some of whose sources could not be read. "
          "With -v or --json snapshots of SQLite "
          "databases also show pages, and how many changed since the parent where that is known.\n"
          "Of PostgreSQL clusters the server's version is shown, and whether the backup came as a "
          "full one or how much an incremental brought; with -v or --json also timeline, where its "
          "WAL begins and ends, and the system identifier. \"doubts\" marks those with places "
          "that "
          "may not be what the server had: -v names them.",
      .options = {{"host", 0, Value, "NAME", "only of this host"},
                  {"tag", 0, List, "TEXT", "only with this tag"},
                  {"path", 0, List, "PATH", "only of this path"},
                  {"latest", 0, Value, "N", "only the last N"}},
      .examples = {{"pagevault snapshots --latest 5", "the last five"},
                   {"pagevault snapshots --host db1 --tag daily --json",
                    "for a script: one JSON document"}},
      .exits = {ExitCode::NoRepository, ExitCode::WrongKey, ExitCode::Damage},
      .run = run_snapshots};
  return kCommand;
}

}  // namespace pagevault::cli
