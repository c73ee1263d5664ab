#include "pagevault/engine/tree.h"

#include "pagevault/base/path.h"

namespace pagevault::engine {

repo::Entry root_entry(const repo::Snapshot& snapshot) {
  repo::Entry root;
  root.info.type = FileType::Directory;
  root.info.mode = 0755;
  root.info.size = snapshot.root_length;
  root.map = snapshot.root;
  return root;
}

namespace {

Result<repo::Entry> find_child(Workspace& workspace, const repo::Entry& directory,
                               const std::string& name) {
  DirectoryReader reader(workspace.reader(), directory.map, directory.info.size);
  while (true) {
    PV_TRY_ASSIGN(auto entry, reader.next());
    if (!entry || entry->name > name) return Error(ErrorCode::NotFound, "not in the snapshot");
    if (entry->name == name) return std::move(*entry);
  }
}

}  // namespace

Result<repo::Entry> find_entry(Workspace& workspace, const repo::Snapshot& snapshot,
                               const std::string& path) {
  repo::Entry at = root_entry(snapshot);
  for (const std::string& name : split_path(path)) {
    if (at.info.type != FileType::Directory) {
      return Error(ErrorCode::NotFound, path + ": not in the snapshot");
    }
    PV_TRY_ASSIGN(at, find_child(workspace, at, name).context(path));
  }
  return at;
}

Status walk_tree(Workspace& workspace, const repo::Entry& top, const std::string& prefix,
                 const TreeVisitor& visit) {
  struct Level {
    std::string path;
    DirectoryReader reader;
  };
  std::vector<Level> levels;
  levels.push_back({prefix, DirectoryReader(workspace.reader(), top.map, top.info.size)});
  while (!levels.empty()) {
    PV_TRY(workspace.cancel().check());
    auto next = levels.back().reader.next();
    if (!next) return next.error().with_context(levels.back().path);
    if (!*next) {
      levels.pop_back();
      continue;
    }
    const repo::Entry& entry = **next;
    std::string path = levels.back().path + "/" + entry.name;
    PV_TRY_ASSIGN(const bool descend, visit(path, entry));
    if (!descend || entry.info.type != FileType::Directory) continue;
    if (levels.size() >= repo::kDirectoryDepthMax) {
      return Error(ErrorCode::Corrupt, path + ": folders nested too deeply");
    }
    levels.push_back(
        {std::move(path), DirectoryReader(workspace.reader(), entry.map, entry.info.size)});
  }
  return ok();
}

Result<RepositoryStats> collect_stats(Workspace& workspace) {
  RepositoryStats stats;
  PV_TRY_ASSIGN(const auto snapshots, workspace.repository().list_snapshots());
  stats.snapshots = snapshots.snapshots.size();
  for (const auto& stored : snapshots.snapshots) {
    stats.source_bytes += stored.snapshot.stats.bytes_source;
  }
  PV_TRY_ASSIGN(const auto packs, repo::list_packs(workspace.repository()));
  stats.packs = packs.size();
  for (const auto& [id, bytes] : packs) stats.pack_bytes += bytes;
  PV_TRY_ASSIGN(const auto index, workspace.repository().store().list(repo::ObjectType::Index));
  stats.index_objects = index.objects.size();
  for (const auto& object : index.objects) stats.index_bytes += object.bytes;
  PV_TRY(workspace.index().for_each_blob([&](const repo::BlobLocation& where) {
    ++stats.chunks;
    stats.chunk_bytes_plain += where.entry.plain_bytes;
    stats.chunk_bytes_stored += where.entry.stored_bytes;
  }));
  return stats;
}

}  // namespace pagevault::engine
