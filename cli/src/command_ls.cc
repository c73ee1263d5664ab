#include <fmt/format.h>

#include "entry_text.h"
#include "json_text.h"
#include "opened_workspace.h"
#include "relation_text.h"

namespace pagevault::cli {
namespace {

class Lister {
 public:
  /// `catalog`: names relation files; may be null.
  Lister(Invocation& invocation, engine::ClusterCatalog* catalog)
      : console_(invocation.console),
        catalog_(catalog),
        array_(invocation.console),
        long_(invocation.options.has("long")) {}

  Status show(const std::string& path, const repo::Entry& entry) {
    MaybeRelation relation;
    if (catalog_ != nullptr && (long_ || console_.json()) && entry.info.type == FileType::Regular) {
      PV_TRY_ASSIGN(relation, catalog_->name_of(path));
    }
    if (console_.json()) {
      Json document = entry_json(path, entry);
      if (relation) document["relation"] = relation_file_json(path, *relation);
      array_.add(document);
    } else if (long_) {
      const std::string suffix =
          relation ? fmt::format(" ({})", relation_file_text(path, *relation)) : std::string();
      console_.line(long_entry_text(path, entry) + suffix);
    } else {
      console_.line(display_path(path));
    }
    return console_.check();
  }
  void end() {
    if (console_.json()) array_.end();
  }

 private:
  Console& console_;
  engine::ClusterCatalog* catalog_;
  JsonArray array_;
  bool long_;
};

void warn_of_problems(Console& console, const engine::ClusterCatalog* catalog) {
  if (catalog == nullptr) return;
  for (const std::string& problem : catalog->problems()) {
    console.warn(fmt::format("names of relations: {}", problem));
  }
}

Status list_relations(Console& console, OpenedWorkspace& opened, const repo::Snapshot& snapshot,
                      engine::ClusterCatalog* catalog) {
  if (catalog == nullptr) {
    return Error(ErrorCode::InvalidArgument,
                 "--relations wants a snapshot of a PostgreSQL cluster, 13 to 18");
  }
  PV_TRY_ASSIGN(const auto sizes, engine::relation_sizes(*opened, snapshot, *catalog));
  if (console.json()) {
    JsonArray array(console);
    for (const engine::RelationSize& size : sizes) array.add(relation_size_json(size));
    array.end();
    return console.check();
  }
  for (const std::string& line : relation_size_lines(sizes)) console.line(line);
  return console.check();
}

Status check_relation_words(const Options& options) {
  if (!options.has("relations") || options.words().size() == 1) return ok();
  return Error(ErrorCode::InvalidArgument,
               "with --relations 'ls' lists those of the whole snapshot and takes no PATH");
}

Status list_below(Invocation& invocation, OpenedWorkspace& opened, const repo::Entry& top,
                  const std::string& prefix, Lister& lister) {
  const bool recursive = invocation.options.has("recursive");
  return engine::walk_tree(*opened, top, prefix,
                           [&](const std::string& path, const repo::Entry& entry) -> Result<bool> {
                             PV_TRY(opened->cancel().check());
                             PV_TRY(lister.show(path, entry));
                             return recursive;
                           });
}

// "a/b" as walk_tree wants it: no slash at the ends.
std::string trimmed(const std::string& path) {
  const std::size_t first = path.find_first_not_of('/');
  if (first == std::string::npos) return {};
  return path.substr(first, path.find_last_not_of('/') - first + 1);
}

Outcome run_ls(Invocation& invocation) {
  const std::vector<std::string>& words = invocation.options.words();
  PV_TRY(check_relation_words(invocation.options));
  PV_TRY_ASSIGN(OpenedWorkspace opened, open_workspace(invocation));
  PV_TRY_ASSIGN(const repo::StoredSnapshot stored,
                choose_snapshot(invocation, opened->repository(), words[0]));
  PV_TRY(opened->refresh_index());
  const auto catalog = engine::ClusterCatalog::open(*opened, stored.snapshot);
  if (invocation.options.has("relations")) {
    PV_TRY(list_relations(invocation.console, opened, stored.snapshot, catalog.get()));
    warn_of_problems(invocation.console, catalog.get());
    return ExitCode::Ok;
  }
  const std::string path = words.size() > 1 ? trimmed(words[1]) : "";
  PV_TRY_ASSIGN(const repo::Entry top, engine::find_entry(*opened, stored.snapshot, path));
  Lister lister(invocation, catalog.get());
  if (top.info.type == FileType::Directory) {
    PV_TRY(list_below(invocation, opened, top, path, lister));
  } else {
    PV_TRY(lister.show(path, top));
  }
  lister.end();
  warn_of_problems(invocation.console, catalog.get());
  return ExitCode::Ok;
}

}  // namespace

const Command& ls_command() {
  using enum OptionKind;
  static const Command kCommand = {
      .name = "ls",
      .group = "Look",
      .summary = "list what is in a snapshot",
      .arguments = "SNAPSHOT [PATH]",
      .arguments_min = 1,
      .arguments_max = 2,
      .description =
          "Lists a folder of the snapshot (without PATH its top), one path a line. Characters a "
          "terminal would obey are written as \\n, \\x1b and the like, a backslash as two.\n"
          "With -l or --json, files of a PostgreSQL cluster are said with the table or index that "
          "they belong to, as the catalogs in the snapshot name it: database.schema.name.",
      .options = {{"long",
                   'l',
                   Flag,
                   {},
                   "with mode, owner, size in bytes and time; of databases pages and versions; of "
                   "files of "
                   "PostgreSQL clusters the relation"},
                  {"relations",
                   0,
                   Flag,
                   {},
                   "of a PostgreSQL cluster: tables, indexes and others with their "
                   "size, largest first"},
                  {"recursive", 'R', Flag, {}, "everything below, too"}},
      .examples = {{"pagevault ls latest /srv/app -l", "one folder, with details"},
                   {"pagevault ls latest --relations | head -20",
                    "the largest tables of a cluster"},
                   {"pagevault ls -R 3f2a91c0 | grep '\\.db$'", "every path of a snapshot"}},
      .exits = {ExitCode::NoRepository, ExitCode::WrongKey, ExitCode::Damage},
      .run = run_ls};
  return kCommand;
}

}  // namespace pagevault::cli
