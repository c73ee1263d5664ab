#include "cluster_tree.h"

#include "pagevault/base/path.h"
#include "stream_crc.h"

namespace pagevault::engine {

namespace {

constexpr std::size_t kUnsettledMax = 1024;

ParentDirectory directory_of(const repo::Entry* entry) {
  if (entry == nullptr || entry->info.type != FileType::Directory) return {};
  return {.map = entry->map, .length = entry->info.size};
}

}  // namespace

Result<ClusterTree::Node*> ClusterTree::make(const std::string& path, const repo::Entry& like) {
  Node* at = &root_;
  for (const std::string& part : split_path(path)) {
    if (!repo::is_valid_entry_name(part)) {
      return Error(ErrorCode::Corrupt, path + ": a name of this form cannot be stored");
    }
    if (at != &root_ && at->entry.info.type != FileType::Directory) {
      return Error(ErrorCode::Corrupt, path + ": lies below something that is no folder");
    }
    auto& child = at->children[part];
    if (!child) {
      child = std::make_unique<Node>();
      child->entry.name = part;
      child->entry.info = like.info;
      child->entry.info.type = FileType::Directory;
      child->entry.info.mode = 0700;
      child->entry.info.size = 0;
      child->entry.user = like.user;
      child->entry.group = like.group;
    }
    at = child.get();
  }
  if (at == &root_) return Error(ErrorCode::Corrupt, "an entry without a name");
  if (at->is_known) return Error(ErrorCode::Corrupt, path + ": is there twice");
  if (!at->children.empty() && like.info.type != FileType::Directory) {
    return Error(ErrorCode::Corrupt, path + ": is a folder and a file");
  }
  at->is_known = true;
  return at;
}

Status ClusterTree::add(const std::string& path, repo::Entry entry) {
  PV_TRY_ASSIGN(Node* const node, make(path, entry));
  entry.name = node->entry.name;
  node->entry = std::move(entry);
  return ok();
}

Status ClusterTree::add_file(const std::string& path, repo::Entry entry,
                             std::shared_ptr<MapBuilder> map) {
  PV_TRY_ASSIGN(Node* const node, make(path, entry));
  entry.name = node->entry.name;
  node->entry = std::move(entry);
  pending_.push_back({node, std::move(map)});
  return settle_down_to(kUnsettledMax);
}

const repo::Entry* ClusterTree::find(const std::string& path) const {
  const Node* at = &root_;
  for (const std::string& part : split_path(path)) {
    const auto child = at->children.find(part);
    if (child == at->children.end()) return nullptr;
    at = child->second.get();
  }
  return at == &root_ ? nullptr : &at->entry;
}

Status ClusterTree::settle() { return settle_down_to(0); }

// Finishes what is complete; waits only while more than `leave` are pending.
Status ClusterTree::settle_down_to(std::size_t leave) {
  while (!pending_.empty()) {
    const Pending& front = pending_.front();
    if (!front.map->done()) {
      if (pending_.size() <= leave) return ok();
      completion_->wait([&] { return front.map->done(); });
    }
    PV_TRY(finish_file(front));
    pending_.pop_front();
  }
  return ok();
}

Status ClusterTree::finish_file(const Pending& done) {
  repo::Entry& entry = done.node->entry;
  const auto crcs = done.map->take_span_crcs();
  PV_TRY_ASSIGN(entry.map, done.map->take());
  if (entry.crc32c) return ok();
  MapReader map(*reader_, entry.map, entry.info.size);
  PV_TRY_ASSIGN(entry.crc32c, crc32c_of(map, crcs).context(kParentUnreadable));
  return ok();
}

Status ClusterTree::visit_files(
    const std::function<Status(const std::string& path, const repo::Entry& entry)>& visit) const {
  struct Level {
    const Node* node;
    std::string path;
  };
  // A stack instead of recursion: what an archive holds decides the depth (S16).
  std::vector<Level> stack = {{&root_, ""}};
  while (!stack.empty()) {
    const Level level = std::move(stack.back());
    stack.pop_back();
    const bool is_file = level.node != &root_ && level.node->entry.info.type == FileType::Regular;
    if (is_file) PV_TRY(visit(level.path, level.node->entry));
    for (auto child = level.node->children.rbegin(); child != level.node->children.rend();
         ++child) {
      const std::string prefix = level.path.empty() ? "" : level.path + "/";
      stack.push_back({child->second.get(), prefix + child->first});
    }
  }
  return ok();
}

Status ClusterTree::write(TreeWriter& writer, repo::Entry root, ParentTree& parent) const {
  struct Level {
    const Node* node;
    std::string path;
    std::map<std::string, std::unique_ptr<Node>>::const_iterator next;
  };
  PV_TRY_ASSIGN(const repo::Entry* const before, parent.find(""));
  PV_TRY(writer.enter_directory(std::move(root), directory_of(before)));
  std::vector<Level> levels;
  levels.push_back({&root_, "", root_.children.begin()});
  while (!levels.empty()) {
    Level& level = levels.back();
    if (level.next == level.node->children.end()) {
      levels.pop_back();
      PV_TRY(writer.leave_directory());
      continue;
    }
    const auto& [name, child] = *level.next++;
    if (child->entry.info.type != FileType::Directory) {
      PV_TRY(writer.add(child->entry));
      continue;
    }
    const std::string path = level.path.empty() ? name : level.path + "/" + name;
    PV_TRY_ASSIGN(const repo::Entry* const earlier, parent.find(path));
    PV_TRY(writer.enter_directory(child->entry, directory_of(earlier)));
    levels.push_back({child.get(), path, child->children.begin()});
  }
  return ok();
}

}  // namespace pagevault::engine
