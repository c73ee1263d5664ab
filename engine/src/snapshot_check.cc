#include "snapshot_check.h"

#include <algorithm>

namespace pagevault::engine {

struct SnapshotCheck::Level {
  std::string path;
  ChunkId key;
  std::uint64_t findings_before = 0;
  DirectoryReader reader;
};

ChunkId SnapshotCheck::key_of(const repo::Entry& directory) {
  Encoder out;
  repo::encode_map_root(out, directory.map);
  out.u64(directory.info.size);
  return ChunkId{repo::blake2b_256({}, out.view())};
}

void SnapshotCheck::found(const std::string& path, std::uint64_t offset, std::uint64_t length,
                          std::string problem) {
  ++findings_;
  report_({.severity = CheckFinding::Severity::Damage,
           .object = {},
           .snapshot = snapshot_,
           .path = path,
           .offset = offset,
           .length = length,
           .problem = std::move(problem),
           .advice = "other files and ranges restore"});
}

Status SnapshotCheck::run(const repo::StoredSnapshot& stored) {
  snapshot_ = stored.id.hex(8);
  const repo::Entry root = root_entry(stored.snapshot);
  std::vector<Level> levels;
  const auto push = [&](const std::string& path, const repo::Entry& directory) {
    levels.push_back({path, key_of(directory), findings_,
                      DirectoryReader(workspace_.reader(), directory.map, directory.info.size)});
  };
  push("", root);
  while (!levels.empty()) {
    PV_TRY(workspace_.cancel().check());
    Level& level = levels.back();
    auto next = level.reader.next();
    if (!next)
      found(level.path.empty() ? "/" : level.path, 0, 0, "folder: " + next.error().message());
    if (!next || !*next) {
      if (level.findings_before == findings_) whole_.insert(level.key);
      levels.pop_back();
      continue;
    }
    const repo::Entry& entry = **next;
    const std::string path = level.path + "/" + entry.name;
    if (entry.info.type != FileType::Directory) {
      PV_TRY(check_entry(path, entry));
    } else if (levels.size() >= repo::kDirectoryDepthMax) {
      found(path, 0, 0, "folders nested too deeply");
    } else if (!whole_.contains(key_of(entry))) {
      push(path, entry);
    }
  }
  return ok();
}

Status SnapshotCheck::check_entry(const std::string& path, const repo::Entry& entry) {
  if (entry.info.type != FileType::Regular) return ok();
  const Status shape = repo::check_map_root(entry.map, entry.info.size);
  if (!shape) {
    found(path, 0, 0, shape.error().message());
    return ok();
  }
  return check_map(path, entry);
}

Status SnapshotCheck::check_map(const std::string& path, const repo::Entry& entry) {
  MapReader map(workspace_.reader(), entry.map, entry.info.size);
  for (std::uint64_t span = 0; span < map.spans(); ++span) {
    PV_TRY(workspace_.cancel().check());
    const std::uint64_t offset = span * repo::kSpanBytes;
    const auto id = map.node_id(span);
    if (id && !id->is_zero() && whole_.contains(*id)) continue;
    const auto node = map.span(span);
    if (!node) {
      const std::uint64_t length = std::min(repo::kSpanBytes, entry.info.size - offset);
      found(path, offset, length, "map: " + node.error().message());
      continue;
    }
    const std::uint64_t before = findings_;
    PV_TRY(check_node(path, offset, *node));
    if (before == findings_ && id && !id->is_zero()) whole_.insert(*id);
  }
  return ok();
}

Status SnapshotCheck::check_node(const std::string& path, std::uint64_t offset,
                                 const repo::SpanNode& node) {
  for (const repo::Extent& extent : node) {
    if (!extent.hole) {
      PV_TRY_ASSIGN(std::string problem, damage_.problem_of(workspace_.index(), extent.chunk));
      if (!problem.empty()) found(path, offset, extent.length, std::move(problem));
    }
    offset += extent.length;
  }
  return ok();
}

}  // namespace pagevault::engine
