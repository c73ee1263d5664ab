#include <fmt/format.h>

#include <optional>

#include "database_diff_text.h"
#include "entry_text.h"
#include "human_numbers.h"
#include "json_text.h"
#include "opened_workspace.h"
#include "relation_text.h"

namespace pagevault::cli {
namespace {

using Kind = engine::Difference::Kind;

struct Totals {
  std::uint64_t added = 0;
  std::uint64_t removed = 0;
  std::uint64_t content = 0;
  std::uint64_t metadata = 0;
  std::uint64_t type = 0;
  std::uint64_t bytes_before = 0;
  std::uint64_t bytes_after = 0;
};

char sign_of(Kind kind) {
  switch (kind) {
    case Kind::Added:
      return '+';
    case Kind::Removed:
      return '-';
    case Kind::Content:
      return 'M';
    case Kind::Metadata:
      return 'm';
    case Kind::Type:
      return 'T';
  }
  return '?';
}

std::uint64_t& counter_of(Totals& totals, Kind kind) {
  switch (kind) {
    case Kind::Added:
      return totals.added;
    case Kind::Removed:
      return totals.removed;
    case Kind::Content:
      return totals.content;
    case Kind::Metadata:
      return totals.metadata;
    case Kind::Type:
      break;
  }
  return totals.type;
}

using MaybeDatabase = std::optional<engine::DatabaseDiff>;

// Nothing where there is no database in both, or the two cannot be compared.
Result<MaybeDatabase> look_into_database(engine::Workspace& workspace,
                                         const engine::Difference& difference) {
  if (difference.kind != Kind::Content) return MaybeDatabase();
  if (!difference.before->database || !difference.after->database) return MaybeDatabase();
  auto diff = engine::diff_databases(workspace, *difference.before, *difference.after);
  if (diff) return MaybeDatabase(std::move(*diff));
  if (diff.error().code() == ErrorCode::Unsupported) return MaybeDatabase();
  return diff.error().with_context(difference.path);
}

using MaybeRelationFile = std::optional<engine::RelationFileDifference>;

// " (app.public.orders, table: 12 of 300 pages changed)"
std::string relation_suffix(const std::string& path, const MaybeRelationFile& relation) {
  if (!relation) return "";
  const std::string name =
      relation->name ? relation_file_text(path, *relation->name) + ": " : std::string();
  return fmt::format(" ({}{} of {} changed)", name, human_count(relation->pages_changed),
                     human_plural(relation->pages_after, "page"));
}

void show(Console& console, const engine::Difference& difference, const MaybeDatabase& database,
          const MaybeRelationFile& relation) {
  if (!console.json()) {
    console.line(fmt::format("{}    {}{}", sign_of(difference.kind), display_path(difference.path),
                             relation_suffix(difference.path, relation)));
    if (!database) return;
    for (const std::string& line : database_diff_lines(*database)) console.line(line);
    return;
  }
  Json document = {{"message_type", "change"},
                   {"modifier", std::string(1, sign_of(difference.kind))}};
  put_name(document, "path", difference.path);
  document["bytes_before"] = difference.bytes_before;
  document["bytes_after"] = difference.bytes_after;
  if (database) document["database"] = database_diff_json(*database);
  if (relation) {
    if (relation->name) {
      document["relation"] = relation_file_json(difference.path, *relation->name);
    }
    document["pages"] = {{"before", relation->pages_before},
                         {"after", relation->pages_after},
                         {"changed", relation->pages_changed}};
  }
  console.json_line(document);
}

void show_relations(Console& console, engine::RelationDiff& diff) {
  for (const std::string& problem : diff.problems()) {
    console.warn(fmt::format("names of relations: {}", problem));
  }
  const std::vector<engine::RelationDifference> relations = diff.take();
  if (console.json()) {
    for (const engine::RelationDifference& relation : relations) {
      console.json_line(relation_diff_json(relation));
    }
    return;
  }
  if (relations.empty()) return;
  console.line("");
  console.line("Pages changed by relation:");
  for (const std::string& line : relation_diff_lines(relations)) console.line(line);
}

void show_totals(Console& console, const Totals& totals) {
  if (console.json()) {
    return console.json_line({{"message_type", "summary"},
                              {"added", totals.added},
                              {"removed", totals.removed},
                              {"changed_content", totals.content},
                              {"changed_metadata", totals.metadata},
                              {"changed_type", totals.type},
                              {"bytes_before", totals.bytes_before},
                              {"bytes_after", totals.bytes_after}});
  }
  console.summary("");
  console.summary(fmt::format(
      "{} added, {} removed, {} with other content, {} with other metadata, "
      "{} of another type",
      human_count(totals.added), human_count(totals.removed), human_count(totals.content),
      human_count(totals.metadata), human_count(totals.type)));
  console.summary(fmt::format("size of what differs: {} before, {} after",
                              human_bytes(totals.bytes_before), human_bytes(totals.bytes_after)));
}

Outcome run_diff(Invocation& invocation) {
  const std::vector<std::string>& words = invocation.options.words();
  PV_TRY_ASSIGN(OpenedWorkspace opened, open_workspace(invocation));
  PV_TRY_ASSIGN(const repo::SnapshotListing listing,
                list_snapshots(invocation, opened->repository()));
  PV_TRY_ASSIGN(const repo::StoredSnapshot before, engine::find_snapshot(listing, words[0]));
  PV_TRY_ASSIGN(const repo::StoredSnapshot after, engine::find_snapshot(listing, words[1]));
  const bool metadata = !invocation.options.has("content-only");
  const bool paths_only = invocation.options.has("paths-only");
  Totals totals;
  Console& console = invocation.console;
  const std::unique_ptr<engine::RelationDiff> relations =
      paths_only ? nullptr : engine::RelationDiff::open(*opened, before.snapshot, after.snapshot);
  const auto visit = [&](const engine::Difference& difference) -> Status {
    PV_TRY(opened->cancel().check());
    if (!metadata && difference.kind == Kind::Metadata) return ok();
    ++counter_of(totals, difference.kind);
    totals.bytes_before += difference.bytes_before;
    totals.bytes_after += difference.bytes_after;
    MaybeDatabase database;
    if (!paths_only) {
      PV_TRY_ASSIGN(database, look_into_database(*opened, difference));
    }
    MaybeRelationFile relation;
    if (relations) {
      PV_TRY_ASSIGN(relation, relations->add(difference));
    }
    show(console, difference, database, relation);
    return console.check();
  };
  PV_TRY(engine::diff_snapshots(*opened, before.snapshot, after.snapshot, visit));
  if (relations) show_relations(console, *relations);
  show_totals(console, totals);
  return ExitCode::Ok;
}

}  // namespace

const Command& diff_command() {
  static const Command kCommand = {
      .name = "diff",
      .group = "Look",
      .summary = "show what differs between two snapshots",
      .arguments = "SNAPSHOT SNAPSHOT",
      .arguments_min = 2,
      .arguments_max = 2,
      .description =
          "One line for each path: + added, - removed, M other content, m other metadata (owner, "
          "mode, time) only, T another type; then the totals. Unchanged parts are not read. Below "
          "a "
          "SQLite database that was backed up as one, in both snapshots, stand the tables and "
          "indexes that changed: their pages before and after, and how many of these are other. "
          "For that, parts of both are read; much of them where rows are longer than a page.\n"
          "Of two snapshots of a PostgreSQL cluster, files are said with the table or index that "
          "they belong to, as the catalogs in the snapshots name it, and with how many of their "
          "pages changed; at the end all of that by relation. What differs is read for it.",
      .options =
          {{"content-only", 0, OptionKind::Flag, {}, "leave out changes of metadata alone"},
           {"paths-only", 0, OptionKind::Flag, {}, "do not look into databases and clusters"}},
      .examples = {{"pagevault diff latest~1 latest", "what did the last backup change?"},
                   {"pagevault diff 3f2a91c0 latest --content-only", "without mere touches"},
                   {"pagevault diff latest~1 latest --json | jq 'select(.message_type == "
                    "\"relation\")'",
                    "what changed in a PostgreSQL cluster, for a script"}},
      .exits = {ExitCode::NoRepository, ExitCode::WrongKey, ExitCode::Damage},
      .run = run_diff};
  return kCommand;
}

}  // namespace pagevault::cli
