#include <fmt/format.h>

#include <optional>

#include "database_diff_text.h"
#include "entry_text.h"
#include "human_numbers.h"
#include "json_text.h"
#include "opened_workspace.h"

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

void show(Console& console, const engine::Difference& difference, const MaybeDatabase& database) {
  if (!console.json()) {
    console.line(fmt::format("{}    {}", sign_of(difference.kind), display_path(difference.path)));
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
  console.json_line(document);
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
    show(console, difference, database);
    return console.check();
  };
  PV_TRY(engine::diff_snapshots(*opened, before.snapshot, after.snapshot, visit));
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
          "For that, parts of both are read; much of them where rows are longer than a page.",
      .options = {{"content-only", 0, OptionKind::Flag, {}, "leave out changes of metadata alone"},
                  {"paths-only", 0, OptionKind::Flag, {}, "do not look into databases"}},
      .examples = {{"pagevault diff latest~1 latest", "what did the last backup change?"},
                   {"pagevault diff 3f2a91c0 latest --content-only", "without mere touches"}},
      .exits = {ExitCode::NoRepository, ExitCode::WrongKey, ExitCode::Damage},
      .run = run_diff};
  return kCommand;
}

}  // namespace pagevault::cli
