// Folders are made and synced from the inside out: packs, then the root, then the folder it lies
// in. Until `config` exists all of it is no repository, so a run that was cut short is simply
// repeated over what it left (I12). What it may have left is checked to the last folder, because
// an existing repository whose `config` cannot be seen must never be taken for an empty one (F2.5).

#include <algorithm>

#include "store_folders.h"

namespace pagevault::repo {

namespace {

Error occupied(const std::string& path) {
  return {ErrorCode::AlreadyExists, path + ": neither empty nor left by an interrupted init"};
}

bool is_pack_folder(std::string_view name) {
  const auto byte = from_hex(name);
  return byte && byte->size() == 1 && to_hex(*byte) == name;
}

Status check_empty(Dir& parent, const std::string& name) {
  const auto dir = parent.open_dir(name);
  if (!dir) return occupied(parent.path() + "/" + name);  // Also when it is no folder.
  PV_TRY_ASSIGN(const auto entries, (*dir)->list());
  return entries.empty() ? ok() : Status(occupied((*dir)->path()));
}

/// The first key slot is written before the config. It stays: it opens nothing without a config
/// made with it, and removing keys is not init's business.
Status check_keys(Dir& root) {
  PV_TRY_ASSIGN(const auto keys, root.open_dir("keys"));
  PV_TRY_ASSIGN(const auto entries, keys->list());
  for (const DirEntry& entry : entries) {
    const bool ours = is_temp_name(entry.name) || is_object_hex(ObjectType::KeySlot, entry.name);
    if (!ours) return occupied(keys->path());
  }
  return ok();
}

Status check_packs(Dir& root) {
  PV_TRY_ASSIGN(const auto packs, root.open_dir("packs"));
  PV_TRY_ASSIGN(const auto entries, packs->list());
  for (const DirEntry& entry : entries) {
    if (!is_pack_folder(entry.name)) return occupied(packs->path());
    PV_TRY(check_empty(*packs, entry.name));
  }
  return ok();
}

Status check_leftover(Dir& root, const std::string& name) {
  if (is_temp_name(name)) return ok();  // Of the config.
  if (std::ranges::find(kFolders, name) == kFolders.end()) return occupied(root.path());
  if (name == "keys") return check_keys(root);
  if (name == "packs") return check_packs(root);
  return check_empty(root, name);
}

Status make_dir_if_missing(Dir& parent, std::string_view name) {
  Status made = parent.make_dir(name);
  if (!made && made.error().code() != ErrorCode::AlreadyExists) return made;
  return ok();
}

/// Folder and name of `path`, as a shell would split it.
std::pair<std::string, std::string> split(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

Result<std::unique_ptr<Dir>> open_or_make_root(Env& env, const std::string& path) {
  auto root = env.open_dir(path);
  if (root || root.error().code() != ErrorCode::NotFound) return root;
  const auto [parent_path, name] = split(path);
  PV_TRY_ASSIGN(const auto parent, env.open_dir(parent_path));
  PV_TRY(make_dir_if_missing(*parent, name));
  return parent->open_dir(name);
}

/// Makes the root's own name durable. A root that its owner made, in a folder that we may not
/// read, is his business.
Status sync_parent(Env& env, const std::string& path) {
  const auto parent = env.open_dir(split(path).first);
  if (!parent) return ok();
  return (*parent)->sync();
}

Status make_pack_folders(Dir& root) {
  PV_TRY_ASSIGN(const auto packs, root.open_dir("packs"));
  for (unsigned byte = 0; byte < kPackFolders; ++byte) {
    PV_TRY(make_dir_if_missing(*packs, pack_folder(byte)));
  }
  return packs->sync();
}

}  // namespace

Status make_store_folders(Env& env, const std::string& path) {
  PV_TRY_ASSIGN(const auto root, open_or_make_root(env, path));
  PV_TRY_ASSIGN(const auto entries, root->list());
  for (const DirEntry& entry : entries) PV_TRY(check_leftover(*root, entry.name));
  for (const std::string_view folder : kFolders) PV_TRY(make_dir_if_missing(*root, folder));
  PV_TRY(make_pack_folders(*root));
  PV_TRY(root->sync());
  return sync_parent(env, path);
}

}  // namespace pagevault::repo
