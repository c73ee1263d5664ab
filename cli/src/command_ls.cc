#include "entry_text.h"
#include "json_text.h"
#include "opened_workspace.h"

namespace pagevault::cli {
namespace {

class Lister {
 public:
  explicit Lister(Invocation& invocation)
      : console_(invocation.console),
        array_(invocation.console),
        long_(invocation.options.has("long")) {}

  Status show(const std::string& path, const repo::Entry& entry) {
    if (console_.json()) {
      array_.add(entry_json(path, entry));
    } else {
      console_.line(long_ ? long_entry_text(path, entry) : display_path(path));
    }
    return console_.check();
  }
  void end() {
    if (console_.json()) array_.end();
  }

 private:
  Console& console_;
  JsonArray array_;
  bool long_;
};

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
  PV_TRY_ASSIGN(OpenedWorkspace opened, open_workspace(invocation));
  PV_TRY_ASSIGN(const repo::StoredSnapshot stored,
                choose_snapshot(invocation, opened->repository(), words[0]));
  PV_TRY(opened->refresh_index());
  const std::string path = words.size() > 1 ? trimmed(words[1]) : "";
  PV_TRY_ASSIGN(const repo::Entry top, engine::find_entry(*opened, stored.snapshot, path));
  Lister lister(invocation);
  if (top.info.type == FileType::Directory) {
    PV_TRY(list_below(invocation, opened, top, path, lister));
  } else {
    PV_TRY(lister.show(path, top));
  }
  lister.end();
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
          "terminal would obey are written as \\n, \\x1b and the like, a backslash as two.",
      .options = {{"long",
                   'l',
                   Flag,
                   {},
                   "with mode, owner, size in bytes and time; of databases pages and versions"},
                  {"recursive", 'R', Flag, {}, "everything below, too"}},
      .examples = {{"pagevault ls latest /srv/app -l", "one folder, with details"},
                   {"pagevault ls -R 3f2a91c0 | grep '\\.db$'", "every path of a snapshot"}},
      .exits = {ExitCode::NoRepository, ExitCode::WrongKey, ExitCode::Damage},
      .run = run_ls};
  return kCommand;
}

}  // namespace pagevault::cli
