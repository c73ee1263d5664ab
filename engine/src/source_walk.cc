#include "source_walk.h"

#include <fmt/format.h>

#include <algorithm>

#include "glob.h"
#include "pagevault/base/path.h"
#include "pagevault/pgsupport/relation_files.h"

namespace pagevault::engine {

// The folders that lead to the sources, as a tree.
struct SourceWalk::Target {
  bool is_source = false;  // Everything below belongs to the backup.
  std::map<std::string, std::unique_ptr<Target>> children;
};

// The parent snapshot's directory, read in step with the names of ours.
class SourceWalk::ParentCursor {
 public:
  ParentCursor(repo::ChunkReader& reader, const repo::Entry& directory)
      : reader_(reader, directory.map, directory.info.size) {
    advance();
  }

  // Names must be asked for in ascending order. Valid until the next call.
  const repo::Entry* find(const std::string& name) {
    while (next_ && next_->name < name) advance();
    return next_ && next_->name == name ? &*next_ : nullptr;
  }

 private:
  // A parent that cannot be read ends here: what follows is backed up as new (F5.8).
  void advance() {
    auto entry = reader_.next();
    next_ = entry ? std::move(entry).value() : std::nullopt;
  }

  DirectoryReader reader_;
  std::optional<repo::Entry> next_;
};

struct SourceWalk::Frame {
  std::string path;
  std::unique_ptr<Dir> dir;
  const Target* target = nullptr;  // Null inside a source.
  std::vector<std::string> names;
  std::size_t next = 0;
  std::optional<ParentCursor> parent;
  std::optional<DataDirectory> own_data_directory;
  const DataDirectory* data_directory = nullptr;
};

SourceWalk::SourceWalk(Env& env, repo::ChunkReader& reader, const Options& options,
                       WalkVisitor& visitor)
    : env_(&env),
      reader_(&reader),
      options_(&options),
      visitor_(&visitor),
      targets_(std::make_unique<Target>()) {
  for (const std::string& path : options.paths) add_target(path);
}
SourceWalk::~SourceWalk() = default;

void SourceWalk::add_target(const std::string& path) {
  Target* at = targets_.get();
  for (const std::string& part : split_path(path)) {
    auto& child = at->children[part];
    if (!child) child = std::make_unique<Target>();
    at = child.get();
  }
  at->is_source = true;
}

Status SourceWalk::run() {
  PV_TRY_ASSIGN(auto dir, env_->open_dir("/"));
  WalkItem root;
  PV_TRY_ASSIGN(root.entry.info, dir->info());
  root.parent = options_->parent_root ? &*options_->parent_root : nullptr;
  const Target* const target = targets_->is_source ? nullptr : targets_.get();
  PV_TRY(push_directory(std::move(root), std::move(dir), target, nullptr));
  while (!frames_.empty()) {
    Frame& top = *frames_.back();
    if (top.next < top.names.size()) {
      PV_TRY(step(top));
    } else {
      frames_.pop_back();
      PV_TRY(visitor_->leave_directory());
    }
  }
  return ok();
}

Status SourceWalk::push_directory(WalkItem item, std::unique_ptr<Dir> dir, const Target* target,
                                  const DataDirectory* above) {
  auto frame = std::make_unique<Frame>();
  frame->path = item.path;
  frame->dir = std::move(dir);
  frame->target = target;
  frame->data_directory = above;
  if (target != nullptr) {
    for (const auto& [name, child] : target->children) frame->names.push_back(name);
  } else if (auto names = names_in(*frame->dir, item.path)) {
    frame->names = std::move(*names);
    detect_data_directory(*frame);
  }
  if (item.parent != nullptr && item.parent->info.type == FileType::Directory) {
    frame->parent.emplace(*reader_, *item.parent);
  }
  PV_TRY(visitor_->enter_directory(std::move(item)));
  frames_.push_back(std::move(frame));
  return ok();
}

// Names in ascending order; nothing (and an error reported) when the folder cannot be read. The
// folder's own entry stays either way.
std::optional<std::vector<std::string>> SourceWalk::names_in(Dir& dir, const std::string& path) {
  if (frames_.size() >= repo::kDirectoryDepthMax) {
    visitor_->on_error(path, Error(ErrorCode::Unsupported, fmt::format("deeper than {} folders",
                                                                       repo::kDirectoryDepthMax)));
    return std::nullopt;
  }
  const auto listed = dir.list();
  if (!listed) {
    visitor_->on_error(path, listed.error());
    return std::nullopt;
  }
  std::vector<std::string> names;
  names.reserve(listed->size());
  for (const DirEntry& entry : *listed) names.push_back(entry.name);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

void SourceWalk::detect_data_directory(Frame& frame) {
  const auto has = [&](std::string_view name) {
    return std::binary_search(frame.names.begin(), frame.names.end(), name);
  };
  if (!has(pgsupport::kVersionFile) || !has("global")) return;
  const auto global = frame.dir->open_dir("global");
  if (!global) return;
  const auto control = (*global)->open_file("pg_control", OpenMode::Read);
  if (!control) return;
  Bytes content(8192);
  const auto got = (*control)->read_at(0, content);
  if (!got) return;
  const auto block_size = pgsupport::block_size_from_control(ByteView(content).first(*got));
  // A size that cannot be read only costs dedup: the default places the cuts.
  frame.own_data_directory = {frame.path, block_size ? *block_size : pgsupport::kBlockSizeDefault};
  frame.data_directory = &*frame.own_data_directory;
}

const repo::Entry* SourceWalk::parent_of(Frame& frame, const std::string& name) {
  return frame.parent ? frame.parent->find(name) : nullptr;
}

Status SourceWalk::step(Frame& frame) {
  const std::string name = frame.names[frame.next++];
  if (frame.target != nullptr) {
    const Target& target = *frame.target->children.at(name);
    if (!target.is_source) return step_towards_targets(frame, name, target);
    return visit(frame, name);
  }
  if (matches_any(options_->excludes, join_path(frame.path.empty() ? "/" : frame.path, name),
                  name)) {
    return ok();
  }
  return visit(frame, name);
}

// A folder above a source: recorded, but only the way to the source is followed. Links on that way
// are followed, as the user's path is.
Status SourceWalk::step_towards_targets(Frame& frame, const std::string& name,
                                        const Target& target) {
  const std::string path = join_path(frame.path.empty() ? "/" : frame.path, name);
  auto dir = env_->open_dir(path);
  const auto info = dir ? (*dir)->info() : Result<FileInfo>(dir.error());
  if (!info) {
    visitor_->on_error(path, info.error());
    return ok();
  }
  WalkItem item;
  item.path = path;
  item.parent = parent_of(frame, name);
  item.entry.name = name;
  item.entry.info = *info;
  item.entry.user = env_->user_name(info->uid);
  item.entry.group = env_->group_name(info->gid);
  return push_directory(std::move(item), std::move(dir).value(), &target, nullptr);
}

Result<repo::Entry> SourceWalk::describe(Dir& dir, const std::string& name, const FileInfo& info) {
  if (!repo::is_valid_entry_name(name)) {
    return Error(ErrorCode::Unsupported, "a name of this form cannot be stored");
  }
  repo::Entry entry;
  entry.name = name;
  entry.info = info;
  if (options_->sizes_only) return entry;
  entry.user = env_->user_name(info.uid);
  entry.group = env_->group_name(info.gid);
  PV_TRY_ASSIGN(entry.xattrs, dir.xattrs(name));
  if (info.type == FileType::Symlink) {
    PV_TRY_ASSIGN(entry.link_target, dir.read_link(name));
  }
  return entry;
}

Status SourceWalk::visit(Frame& frame, const std::string& name) {
  const std::string path = join_path(frame.path.empty() ? "/" : frame.path, name);
  const auto info = frame.dir->stat(name);
  auto entry = info ? describe(*frame.dir, name, *info) : Result<repo::Entry>(info.error());
  if (!entry) {
    visitor_->on_error(path, entry.error());
    return ok();
  }
  WalkItem item{.path = path,
                .entry = std::move(entry).value(),
                .parent = parent_of(frame, name),
                .dir = frame.dir.get(),
                .data_directory = frame.data_directory};
  if (info->type == FileType::Regular) return visitor_->on_file(std::move(item));
  if (info->type != FileType::Directory) return visitor_->on_other(std::move(item));
  auto dir = frame.dir->open_dir(name);
  if (!dir) {
    // The folder is there, only not readable: it stays in the snapshot, empty (F8.1).
    visitor_->on_error(path, dir.error());
    PV_TRY(visitor_->enter_directory(std::move(item)));
    return visitor_->leave_directory();
  }
  return push_directory(std::move(item), std::move(dir).value(), nullptr, frame.data_directory);
}

}  // namespace pagevault::engine
