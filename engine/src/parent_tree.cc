#include "parent_tree.h"

namespace pagevault::engine {

ParentTree::ParentTree(repo::ChunkReader& reader, repo::Entry root)
    : reader_(&reader), root_(std::move(root)) {}

Result<const repo::Entry*> ParentTree::find(std::string_view path) {
  if (reader_ == nullptr) return nullptr;
  if (path.empty()) return &root_;
  const std::size_t slash = path.rfind('/');
  const bool at_top = slash == std::string_view::npos;
  const std::string directory(at_top ? std::string_view() : path.substr(0, slash));
  const std::string name(at_top ? path : path.substr(slash + 1));
  PV_TRY_ASSIGN(const Names* const names, names_in(directory));
  if (names == nullptr) return nullptr;
  const auto found = names->find(name);
  return found == names->end() ? nullptr : &found->second;
}

// Null when there is no such directory. As deep as the path has components.
Result<const ParentTree::Names*> ParentTree::names_in(const std::string& directory) {
  const auto known = directories_.find(directory);
  if (known != directories_.end()) return known->second.get();
  PV_TRY_ASSIGN(const repo::Entry* const entry, find(directory));
  if (entry == nullptr || entry->info.type != FileType::Directory) return nullptr;
  auto names = std::make_unique<Names>();
  DirectoryReader reader(*reader_, entry->map, entry->info.size);
  while (true) {
    auto next = reader.next();
    if (!next) {
      if (next.error().code() == ErrorCode::Cancelled) return next.error();
      if (!failure_) failure_ = next.error();
      break;
    }
    if (!*next) break;
    const std::string name = (*next)->name;
    names->emplace(name, std::move(**next));
  }
  return directories_.emplace(directory, std::move(names)).first->second.get();
}

}  // namespace pagevault::engine
