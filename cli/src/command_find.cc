#include <fmt/format.h>

#include "entry_text.h"
#include "json_text.h"
#include "opened_workspace.h"
#include "timestamps.h"
#include "user_paths.h"

namespace pagevault::cli {
namespace {

class Finder {
 public:
  explicit Finder(Invocation& invocation)
      : console_(invocation.console),
        array_(invocation.console),
        pattern_(invocation.options.words()[0]),
        type_(invocation.options.text("type")),
        long_(invocation.options.has("long")),
        ignore_case_(invocation.options.has("ignore-case")) {}

  Status search(OpenedWorkspace& opened, const repo::StoredSnapshot& stored) {
    bool announced = false;
    return engine::walk_tree(
        *opened, engine::root_entry(stored.snapshot), "",
        [&](const std::string& path, const repo::Entry& entry) -> Result<bool> {
          PV_TRY(opened->cancel().check());
          const std::string whole = path.starts_with('/') ? path : "/" + path;
          if (!fits(whole, entry)) return true;
          if (!announced) announce(stored);
          announced = true;
          show(stored, whole, entry);
          PV_TRY(console_.check());
          return true;
        });
  }
  void end() {
    if (console_.json()) array_.end();
  }

 private:
  bool fits(const std::string& path, const repo::Entry& entry) const {
    return (!type_ || *type_ == type_name(entry.info.type)) &&
           path_matches(pattern_, path, {.ignore_case = ignore_case_});
  }
  void announce(const repo::StoredSnapshot& stored) {
    console_.summary(fmt::format("in snapshot {} of {}:", short_id(stored.id),
                                 local_time(stored.snapshot.committed_ns)));
  }
  void show(const repo::StoredSnapshot& stored, const std::string& path, const repo::Entry& entry) {
    if (!console_.json()) {
      return console_.line(long_ ? long_entry_text(path, entry) : display_path(path));
    }
    Json document = entry_json(path, entry);
    document["snapshot"] = stored.id.hex();
    array_.add(document);
  }

  Console& console_;
  JsonArray array_;
  std::string pattern_;
  std::optional<std::string> type_;
  bool long_;
  bool ignore_case_;
};

Result<std::vector<repo::StoredSnapshot>> snapshots_to_search(Invocation& invocation,
                                                              const repo::Repository& repository) {
  PV_TRY_ASSIGN(repo::SnapshotListing listing, list_snapshots(invocation, repository));
  const std::vector<std::string> named = invocation.options.list("snapshot");
  if (named.empty()) return std::move(listing.snapshots);
  std::vector<repo::StoredSnapshot> out;
  for (const std::string& text : named) {
    PV_TRY_ASSIGN(repo::StoredSnapshot stored, engine::find_snapshot(listing, text));
    out.push_back(std::move(stored));
  }
  return out;
}

Outcome run_find(Invocation& invocation) {
  PV_TRY_ASSIGN(OpenedWorkspace opened, open_workspace(invocation));
  PV_TRY_ASSIGN(const auto snapshots, snapshots_to_search(invocation, opened->repository()));
  Finder finder(invocation);
  PV_TRY(opened->refresh_index());
  for (const repo::StoredSnapshot& stored : snapshots) PV_TRY(finder.search(opened, stored));
  finder.end();
  return ExitCode::Ok;
}

}  // namespace

const Command& find_command_entry() {
  using enum OptionKind;
  static const Command kCommand = {
      .name = "find",
      .group = "Look",
      .summary = "find files in snapshots by name",
      .arguments = "PATTERN",
      .arguments_min = 1,
      .arguments_max = 1,
      .description =
          "Looks through all snapshots, oldest first. The pattern is one of the shell (* ? [a-z]; "
          "quote it): with a '/' it must fit the whole path, else the name alone.",
      .options = {{"snapshot", 's', List, "SNAPSHOT", "only in this snapshot"},
                  {"type",
                   0,
                   Value,
                   "TYPE",
                   "only entries of this type",
                   {"file", "dir", "symlink", "fifo", "socket", "chardev", "dev"}},
                  {"ignore-case", 'i', Flag, {}, "upper and lower case are the same"},
                  {"long", 'l', Flag, {}, "with mode, owner, size in bytes and time"}},
      .examples = {{"pagevault find 'orders.db'", "which snapshots have it?"},
                   {"pagevault find '/srv/*/config.*' --snapshot latest -l",
                    "by whole path in the newest snapshot"}},
      .exits = {ExitCode::NoRepository, ExitCode::WrongKey, ExitCode::Damage},
      .run = run_find};
  return kCommand;
}

}  // namespace pagevault::cli
