#include "cluster_sweep.h"

#include <map>

#include "file_stat.h"

namespace pagevault::engine {

namespace {

using Wanted = std::map<std::string, repo::Entry>;

// Of files the type suffices; their maps would be the most of it.
Result<Wanted> entries_of(Workspace& workspace, const repo::Entry& folder) {
  Wanted out;
  DirectoryReader reader(workspace.reader(), folder.map, folder.info.size);
  while (true) {
    PV_TRY_ASSIGN(auto entry, reader.next());
    if (!entry) return out;
    if (entry->info.type != FileType::Directory) entry->map = {};
    std::string name = entry->name;
    out.emplace(std::move(name), std::move(*entry));
  }
}

bool is_folder(const FileInfo& info) { return info.type == FileType::Directory; }

// One folder less deep at a time, without recursion: how deep it goes is the disk's choice.
Status remove_tree(Dir& above, const std::string& top) {
  struct Doomed {
    Dir* above;
    std::string name;
    std::unique_ptr<Dir> dir;
  };
  std::vector<Doomed> path;
  const auto descend = [&path](Dir& from, const std::string& name) -> Status {
    PV_TRY_ASSIGN(auto dir, from.open_dir(name));
    path.push_back({&from, name, std::move(dir)});
    return ok();
  };
  PV_TRY(descend(above, top));
  while (!path.empty()) {
    Dir& dir = *path.back().dir;
    const std::size_t depth = path.size();
    PV_TRY_ASSIGN(const auto names, dir.list());
    for (const DirEntry& entry : names) {
      PV_TRY_ASSIGN(const auto info, stat_if_there(dir, entry.name));
      if (!info) continue;
      if (is_folder(*info)) {
        PV_TRY(descend(dir, entry.name));
        break;
      }
      PV_TRY(dir.remove_file(entry.name));
    }
    if (path.size() > depth) continue;
    const Doomed done = std::move(path.back());
    path.pop_back();
    PV_TRY(done.above->remove_dir(done.name));
  }
  return ok();
}

}  // namespace

Status ClusterSweep::sweep(std::shared_ptr<Dir> dir, repo::Entry entry, std::string path, Top top) {
  todo_.push_back({nullptr, std::move(dir), std::move(entry), std::move(path), top});
  while (!todo_.empty()) {
    PV_TRY(workspace_.cancel().check());
    Folder folder = std::move(todo_.back());
    todo_.pop_back();
    if (!folder.dir) {
      auto opened = folder.above->open_dir(folder.entry.name);
      if (!opened) {
        PV_TRY(outcome_.problem(folder.path, opened.error()));
        continue;
      }
      folder.dir = std::move(*opened);
    }
    PV_TRY(sweep_folder(folder));
  }
  return ok();
}

Status ClusterSweep::sweep_folder(const Folder& folder) {
  const auto wanted = entries_of(workspace_, folder.entry);
  // What belongs here is not known, so nothing goes. The walk meets the same and reports it.
  if (!wanted) return ok();
  const auto names = folder.dir->list();
  if (!names) return outcome_.problem(folder.path, names.error());
  for (const DirEntry& there : *names) {
    const auto found = wanted->find(there.name);
    const bool left_out = rules_.left_out.contains(folder.path + "/" + there.name);
    const bool known = found != wanted->end() && !left_out;
    PV_TRY(sweep_name(folder, there.name, known ? &found->second : nullptr));
  }
  return ok();
}

Status ClusterSweep::sweep_name(const Folder& folder, const std::string& name,
                                const repo::Entry* wanted) {
  const std::string path = folder.path + "/" + name;
  if (rules_.kept.contains(path)) return ok();
  if (wanted == nullptr && folder.top == Top::OnlyThoseOfSnapshot) return ok();
  const auto info = stat_if_there(*folder.dir, name);
  if (!info) return outcome_.problem(path, info.error());
  if (!*info) return ok();
  if (wanted == nullptr || is_folder(**info) != is_folder(wanted->info)) {
    const Status removed = remove(*folder.dir, name, path);
    return removed ? ok() : outcome_.problem(path, removed.error());
  }
  if (is_folder(**info)) todo_.push_back({folder.dir, nullptr, *wanted, path, Top::All});
  return ok();
}

Status ClusterSweep::remove(Dir& dir, const std::string& name, const std::string& path) {
  PV_TRY_ASSIGN(const auto info, stat_if_there(dir, name));
  if (!info) return ok();
  outcome_.observer().on_removal(path);
  ++outcome_.report.removed;
  if (mode_ == Mode::OnlyTell) return ok();
  return is_folder(*info) ? remove_tree(dir, name) : dir.remove_file(name);
}

}  // namespace pagevault::engine
