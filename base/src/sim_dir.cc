#include "sim_dir.h"

#include <algorithm>
#include <utility>

#include "sim_file.h"

namespace pagevault::sim {

namespace {

constexpr std::size_t kNameBytesMax = 255;

bool is_one_component(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == name.npos &&
         name.find('\0') == name.npos;
}

/// Scatters names, so that nobody relies on an order of list().
std::uint64_t list_position(std::string_view name, std::uint64_t seed) {
  std::uint64_t hash = seed;
  for (const char c : name) hash = Rng::mix(hash + static_cast<unsigned char>(c) + 1);
  return hash;
}

}  // namespace

Status SimDir::check_name(std::string_view operation, std::string_view name) const {
  if (!is_one_component(name)) {
    return error(ErrorCode::InvalidArgument, operation, name, "not one path component");
  }
  if (name.size() > kNameBytesMax) {
    return error(ErrorCode::Io, operation, name, "file name too long");
  }
  return ok();
}

Result<InodeNumber> SimDir::find(std::string_view operation, std::string_view name) const {
  const InodeNumber number = handle_.disk().lookup(handle_.number(), name);
  if (number == kNoInode) {
    return error(ErrorCode::NotFound, operation, name, "no such file or directory");
  }
  return number;
}

Result<InodeNumber> SimDir::begin_read(std::string_view operation, std::string_view name) const {
  PV_TRY(check_name(operation, name));
  PV_TRY(handle_.begin(SimCallKind::Read, operation, name));
  return find(operation, name);
}

Result<InodeNumber> SimDir::begin_change(std::string_view operation, std::string_view name) const {
  PV_TRY(check_name(operation, name));
  PV_TRY(handle_.begin_change(SimCallKind::Name, operation, name));
  return find(operation, name);
}

Status SimDir::begin_create(std::string_view operation, std::string_view name) const {
  PV_TRY(check_name(operation, name));
  PV_TRY(handle_.begin_change(SimCallKind::Name, operation, name));
  if (handle_.disk().lookup(handle_.number(), name) != kNoInode) {
    return error(ErrorCode::AlreadyExists, operation, name, "file exists");
  }
  // A directory whose last name is gone takes no new ones.
  if (at(handle_.number()).links == 0) {
    return error(ErrorCode::NotFound, operation, name, "no such file or directory");
  }
  return ok();
}

Status SimDir::check_allowed(std::string_view operation, std::string_view name,
                             InodeNumber number) const {
  if (!at(number).denied) return ok();
  return error(ErrorCode::Io, operation, name, "permission denied");
}

Result<std::unique_ptr<Dir>> SimDir::open_dir(std::string_view name) {
  PV_TRY_ASSIGN(const InodeNumber number, begin_read("open directory", name));
  PV_TRY(check_allowed("open directory", name, number));
  if (at(number).type != FileType::Directory) {
    return error(ErrorCode::Io, "open directory", name, "not a directory");
  }
  return std::unique_ptr<Dir>(
      std::make_unique<SimDir>(handle_.machine(), number, handle_.child_path(name)));
}

Result<std::unique_ptr<File>> SimDir::create_file(std::string_view name) {
  PV_TRY(begin_create("create", name));
  Inode inode;
  inode.metadata.mode = 0600;
  PV_TRY_ASSIGN(const InodeNumber number, create("create", name, std::move(inode)));
  return std::unique_ptr<File>(std::make_unique<SimFile>(
      handle_.machine(), number, handle_.child_path(name), Access::ReadWrite));
}

Result<std::unique_ptr<File>> SimDir::open_file(std::string_view name, OpenMode mode) {
  if (mode == OpenMode::CreateExclusive) return create_file(name);
  PV_TRY_ASSIGN(const InodeNumber number, begin_read("open", name));
  PV_TRY(check_allowed("open", name, number));
  if (at(number).type != FileType::Regular) {
    return error(ErrorCode::Io, "open", name, "not a regular file");
  }
  if (mode == OpenMode::ReadWrite && handle_.machine().read_only) {
    return error(ErrorCode::Io, "open", name, "read-only file system");
  }
  const Access access = mode == OpenMode::Read ? Access::Read : Access::ReadWrite;
  return std::unique_ptr<File>(
      std::make_unique<SimFile>(handle_.machine(), number, handle_.child_path(name), access));
}

Result<std::vector<DirEntry>> SimDir::list() {
  PV_TRY(handle_.begin(SimCallKind::Read, "list"));
  PV_TRY(check_allowed("list", {}, handle_.number()));
  std::vector<std::pair<std::uint64_t, std::string_view>> order;
  for (const auto& [name, number] : at(handle_.number()).entries) {
    order.emplace_back(list_position(name, handle_.machine().list_order), name);
  }
  std::sort(order.begin(), order.end());
  std::vector<DirEntry> result;
  result.reserve(order.size());
  for (const auto& [position, name] : order) result.push_back({std::string(name)});
  if (handle_.machine().list_hook) handle_.machine().list_hook(handle_.path(), result);
  return result;
}

Result<FileInfo> SimDir::stat(std::string_view name) {
  PV_TRY_ASSIGN(const InodeNumber number, begin_read("stat", name));
  return handle_.disk().info(number);
}

Result<FileInfo> SimDir::info() {
  PV_TRY(handle_.begin(SimCallKind::Read, "info"));
  return handle_.disk().info(handle_.number());
}

Result<std::string> SimDir::read_link(std::string_view name) {
  PV_TRY_ASSIGN(const InodeNumber number, begin_read("read link", name));
  if (at(number).type != FileType::Symlink) {
    return error(ErrorCode::Io, "read link", name, "not a symbolic link");
  }
  return at(number).link_target;
}

Result<InodeNumber> SimDir::create(std::string_view operation, std::string_view name, Inode inode) {
  const std::int64_t now_ns = handle_.machine().storage_ns();
  inode.metadata.mtime_ns = inode.metadata.ctime_ns = now_ns;
  const InodeNumber number = handle_.disk().add(std::move(inode));
  handle_.disk().set_name(handle_.number(), name, number, now_ns);
  PV_TRY(handle_.finish(operation, name));
  return number;
}

Status SimDir::make_dir(std::string_view name) {
  PV_TRY(begin_create("make directory", name));
  Inode inode;
  inode.type = FileType::Directory;
  inode.metadata.mode = 0700;
  PV_TRY(create("make directory", name, std::move(inode)));
  return ok();
}

Status SimDir::make_symlink(std::string_view name, std::string_view target) {
  PV_TRY(begin_create("make symlink", name));
  Inode inode;
  inode.type = FileType::Symlink;
  inode.metadata.mode = 0777;
  inode.link_target = target;
  PV_TRY(create("make symlink", name, std::move(inode)));
  return ok();
}

Status SimDir::make_node(std::string_view name, const FileInfo& what) {
  PV_TRY(check_name("make node", name));
  if (what.type == FileType::Regular || what.type == FileType::Directory ||
      what.type == FileType::Symlink) {
    return error(ErrorCode::InvalidArgument, "make node", name, "not a special file");
  }
  PV_TRY(begin_create("make node", name));
  Inode inode;
  inode.type = what.type;
  inode.metadata.mode = what.mode & 07777U;
  inode.device_major = what.device_major;
  inode.device_minor = what.device_minor;
  PV_TRY(create("make node", name, std::move(inode)));
  return ok();
}

Status SimDir::make_hard_link(Dir& from, std::string_view from_name, std::string_view name) {
  auto& source = static_cast<SimDir&>(from);  // All Dirs of one Env are of one kind.
  PV_TRY(source.check_name("link", from_name));
  PV_TRY(begin_create("link", name));
  if (!source.handle_.alive()) {
    return source.error(ErrorCode::Io, "link", from_name, "handle of a dead process");
  }
  PV_TRY_ASSIGN(const InodeNumber number, source.find("link", from_name));
  if (at(number).type == FileType::Directory) {
    return source.error(ErrorCode::Io, "link", from_name, "is a directory");
  }
  handle_.disk().set_name(handle_.number(), name, number, handle_.machine().storage_ns());
  return handle_.finish("link", name);
}

Status SimDir::remove(std::string_view operation, std::string_view name, InodeNumber number) {
  handle_.disk().set_name(handle_.number(), name, kNoInode, handle_.machine().storage_ns());
  handle_.machine().name_removed(number);
  return handle_.finish(operation, name);
}

Status SimDir::remove_file(std::string_view name) {
  PV_TRY_ASSIGN(const InodeNumber number, begin_change("remove", name));
  if (at(number).type == FileType::Directory) {
    return error(ErrorCode::Io, "remove", name, "is a directory");
  }
  return remove("remove", name, number);
}

Status SimDir::remove_dir(std::string_view name) {
  PV_TRY_ASSIGN(const InodeNumber number, begin_change("remove directory", name));
  if (at(number).type != FileType::Directory) {
    return error(ErrorCode::Io, "remove directory", name, "not a directory");
  }
  if (!at(number).entries.empty()) {
    return error(ErrorCode::Io, "remove directory", name, "directory not empty");
  }
  return remove("remove directory", name, number);
}

Status SimDir::rename_no_replace(std::string_view from, std::string_view to) {
  PV_TRY(check_name("rename", to));
  PV_TRY(begin_change("rename", from));
  if (handle_.disk().lookup(handle_.number(), to) != kNoInode) {
    return error(ErrorCode::AlreadyExists, "rename", to, "file exists");
  }
  return rename(from, to);
}

Status SimDir::rename(std::string_view from, std::string_view to) {
  const InodeNumber replaced = handle_.disk().lookup(handle_.number(), to);
  handle_.disk().rename(handle_.number(), from, to, handle_.machine().storage_ns());
  if (replaced != kNoInode) handle_.machine().name_removed(replaced);
  return handle_.finish("rename", from);
}

Status SimDir::rename_replace(std::string_view from, std::string_view to) {
  PV_TRY(check_name("rename", to));
  PV_TRY_ASSIGN(const InodeNumber number, begin_change("rename", from));
  const InodeNumber replaced = handle_.disk().lookup(handle_.number(), to);
  if (replaced == number) return ok();  // As POSIX: two names of one file both stay.
  if (replaced != kNoInode && at(replaced).type == FileType::Directory) {
    return error(ErrorCode::Io, "rename", to, "is a directory");
  }
  if (replaced != kNoInode && at(number).type == FileType::Directory) {
    return error(ErrorCode::Io, "rename", to, "not a directory");
  }
  return rename(from, to);
}

Status SimDir::sync() {
  PV_TRY(handle_.begin(SimCallKind::Sync, "sync directory"));
  if (!handle_.machine().sync_lies) handle_.disk().sync_names(handle_.number());
  return handle_.finish("sync directory");
}

Status SimDir::sync_file_system() {
  PV_TRY(handle_.begin(SimCallKind::Sync, "sync file system"));
  if (!handle_.machine().sync_lies) handle_.disk().sync_everything();
  return handle_.finish("sync file system");
}

Status SimDir::set_metadata(std::string_view name, const MetadataChange& change) {
  InodeNumber number = handle_.number();
  if (name.empty()) {
    PV_TRY(handle_.begin_change(SimCallKind::Name, "set metadata"));
  } else {
    PV_TRY_ASSIGN(number, begin_change("set metadata", name));
  }
  Metadata& metadata = handle_.disk().edit_metadata(number);
  const bool is_link = at(number).type == FileType::Symlink;  // Their mode cannot be changed.
  if (change.mode && !is_link) metadata.mode = *change.mode & 07777U;
  metadata.uid = change.uid.value_or(metadata.uid);
  metadata.gid = change.gid.value_or(metadata.gid);
  metadata.mtime_ns = change.mtime_ns.value_or(metadata.mtime_ns);
  metadata.ctime_ns = handle_.machine().storage_ns();
  return ok();
}

Result<std::vector<Xattr>> SimDir::xattrs(std::string_view name) {
  InodeNumber number = handle_.number();
  if (name.empty()) {
    PV_TRY(handle_.begin(SimCallKind::Read, "xattrs"));
  } else {
    PV_TRY_ASSIGN(number, begin_read("xattrs", name));
  }
  std::vector<Xattr> result;
  for (const auto& [key, value] : at(number).metadata.xattrs) result.push_back({key, value});
  return result;
}

Status SimDir::set_xattr(std::string_view name, const Xattr& xattr) {
  InodeNumber number = handle_.number();
  if (name.empty()) {
    PV_TRY(handle_.begin_change(SimCallKind::Name, "set xattr"));
  } else {
    PV_TRY_ASSIGN(number, begin_change("set xattr", name));
  }
  Metadata& metadata = handle_.disk().edit_metadata(number);
  metadata.xattrs.insert_or_assign(xattr.name, xattr.value);
  metadata.ctime_ns = handle_.machine().storage_ns();
  return ok();
}

Status SimDir::remove_xattr(std::string_view name, const std::string& xattr_name) {
  InodeNumber number = handle_.number();
  if (name.empty()) {
    PV_TRY(handle_.begin_change(SimCallKind::Name, "remove xattr"));
  } else {
    PV_TRY_ASSIGN(number, begin_change("remove xattr", name));
  }
  Metadata& metadata = handle_.disk().edit_metadata(number);
  metadata.xattrs.erase(xattr_name);
  metadata.ctime_ns = handle_.machine().storage_ns();
  return ok();
}

Result<std::uint64_t> SimDir::free_space() {
  PV_TRY(handle_.begin(SimCallKind::Read, "free space"));
  return handle_.machine().free_bytes();
}

}  // namespace pagevault::sim
