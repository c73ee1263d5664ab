#include "linux_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "linux_errors.h"
#include "linux_file.h"
#include "linux_open.h"

namespace pagevault {

namespace {

constexpr mode_t kFileMode = 0600;
constexpr mode_t kDirMode = 0700;

struct CloseDir {
  void operator()(DIR* stream) const { ::closedir(stream); }
};

bool is_one_component(std::string_view name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
}

int flags_of(OpenMode mode) {
  switch (mode) {
    case OpenMode::Read:
      return O_RDONLY | O_NONBLOCK;  // A FIFO must not hang us; see drop_nonblock.
    case OpenMode::CreateExclusive:
      return O_RDWR | O_CREAT | O_EXCL;
    case OpenMode::ReadWrite:
      return O_RDWR | O_NONBLOCK;
  }
  return O_RDONLY;
}

/// Once we know it is a regular file; io_uring may answer EAGAIN for non-blocking files on file
/// systems that cannot tell beforehand.
void drop_nonblock(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags >= 0) ::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

/// The file type bits for mknod; 0 for what mknod must not make.
mode_t node_type_of(FileType type) {
  switch (type) {
    case FileType::Fifo:
      return S_IFIFO;
    case FileType::Socket:
      return S_IFSOCK;
    case FileType::CharDevice:
      return S_IFCHR;
    case FileType::BlockDevice:
      return S_IFBLK;
    case FileType::Regular:
    case FileType::Directory:
    case FileType::Symlink:
      return 0;
  }
  return 0;
}

/// Rounds down, so that times before 1970 keep nanoseconds in 0..999,999,999.
timespec timespec_of(std::int64_t ns) {
  std::int64_t seconds = ns / 1'000'000'000;
  std::int64_t rest = ns % 1'000'000'000;
  if (rest < 0) {
    rest += 1'000'000'000;
    --seconds;
  }
  return {.tv_sec = static_cast<time_t>(seconds), .tv_nsec = static_cast<long>(rest)};
}

}  // namespace

std::string LinuxDir::path_of(std::string_view name) const {
  if (name.empty()) return path_;
  return fmt::format("{}{}{}", path_, path_.ends_with('/') ? "" : "/", name);
}

Error LinuxDir::error(int number, std::string_view name, std::string_view operation) const {
  return system_error(number, path_of(name), operation);
}

Result<std::string> LinuxDir::checked(std::string_view name) const {
  if (is_one_component(name)) return std::string(name);
  return Error(ErrorCode::InvalidArgument,
               fmt::format("{}: not a single file name: \"{}\"", path_, name));
}

Result<std::string> LinuxDir::checked_or_self(std::string_view name) const {
  if (name.empty()) return std::string();
  return checked(name);
}

// Opening and looking.

Result<std::unique_ptr<Dir>> LinuxDir::open_dir(std::string_view name) {
  PV_TRY_ASSIGN(const std::string entry, checked(name));
  UniqueFd fd = open_beneath_no_atime(fd_.get(), entry, O_RDONLY | O_DIRECTORY);
  if (!fd) return error(errno, name, "open directory");
  return std::unique_ptr<Dir>(std::make_unique<LinuxDir>(std::move(fd), path_of(name)));
}

Result<std::unique_ptr<File>> LinuxDir::open_file(std::string_view name, OpenMode mode) {
  PV_TRY_ASSIGN(const std::string entry, checked(name));
  UniqueFd fd = mode == OpenMode::Read
                    ? open_beneath_no_atime(fd_.get(), entry, flags_of(mode))
                    : open_beneath(fd_.get(), entry, flags_of(mode),
                                   mode == OpenMode::CreateExclusive ? kFileMode : 0);
  if (!fd) return error(errno, name, mode == OpenMode::CreateExclusive ? "create" : "open");
  if (mode == OpenMode::CreateExclusive) {
    PV_TRY(settle_mode(entry, kFileMode));
  } else {
    struct stat status {};
    if (::fstat(fd.get(), &status) < 0) return error(errno, name, "stat");
    if (!S_ISREG(status.st_mode)) {
      return Error(ErrorCode::Io, fmt::format("{}: open: not a regular file", path_of(name)));
    }
    drop_nonblock(fd.get());
  }
  return std::unique_ptr<File>(std::make_unique<LinuxFile>(std::move(fd), path_of(name), mode));
}

Result<std::vector<DirEntry>> LinuxDir::list() {
  // Through a descriptor of its own: the position belongs to the open file, and lists may overlap.
  UniqueFd fd(uninterrupted(
      [this] { return ::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME); }));
  if (!fd && errno == EPERM)
    fd = UniqueFd(::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return error(errno, "", "list");
  const std::unique_ptr<DIR, CloseDir> stream(::fdopendir(fd.get()));
  if (!stream) return error(errno, "", "list");
  fd.release();  // The stream owns it now.
  std::vector<DirEntry> entries;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") entries.push_back({std::string(name)});
  }
  if (errno != 0) return error(errno, "", "list");  // A part of a list is no list.
  return entries;
}

Result<FileInfo> LinuxDir::stat(std::string_view name) {
  PV_TRY_ASSIGN(const std::string entry, checked(name));
  struct stat status {};
  if (::fstatat(fd_.get(), entry.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) {
    return error(errno, name, "stat");
  }
  return file_info_of(status);
}

Result<FileInfo> LinuxDir::info() {
  struct stat status {};
  if (::fstat(fd_.get(), &status) < 0) return error(errno, "", "stat");
  return file_info_of(status);
}

Result<std::string> LinuxDir::read_link(std::string_view name) {
  PV_TRY_ASSIGN(const std::string entry, checked(name));
  std::string target(256, '\0');
  for (;;) {
    const ssize_t length = ::readlinkat(fd_.get(), entry.c_str(), target.data(), target.size());
    if (length < 0) return error(errno, name, "read link");
    if (static_cast<std::size_t>(length) < target.size()) {
      target.resize(static_cast<std::size_t>(length));
      return target;
    }
    target.resize(2 * target.size());  // It may have been cut.
  }
}

Result<std::uint64_t> LinuxDir::free_space() {
  struct statvfs status {};
  if (::fstatvfs(fd_.get(), &status) < 0) return error(errno, "", "free space");
  return std::uint64_t{status.f_bavail} * status.f_frsize;
}

// Making, moving and removing.

Status LinuxDir::settle_mode(const std::string& name, mode_t permissions) const {
  struct stat status {};
  if (::fstatat(fd_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) {
    return error(errno, name, "stat");
  }
  if ((status.st_mode & 0777) == permissions) return ok();
  const mode_t inherited = status.st_mode & S_ISGID;  // From a setgid directory.
  if (::fchmodat(fd_.get(), name.c_str(), permissions | inherited, AT_SYMLINK_NOFOLLOW) < 0) {
    // Creation asked for no more than `permissions`: where they cannot be changed (SMB, FAT) the
    // file system makes them up, and the mount options decide (F3.7).
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL) {
      return error(errno, name, "set mode");
    }
  }
  return ok();
}

Status LinuxDir::make_dir(std::string_view name) {
  PV_TRY_ASSIGN(const std::string entry, checked(name));
  if (::mkdirat(fd_.get(), entry.c_str(), kDirMode) < 0) {
    return error(errno, name, "make directory");
  }
  return settle_mode(entry, kDirMode);
}

Status LinuxDir::make_symlink(std::string_view name, std::string_view target) {
  PV_TRY_ASSIGN(const std::string entry, checked(name));
  if (target.empty() || target.find('\0') != std::string_view::npos) {
    return Error(ErrorCode::InvalidArgument,
                 fmt::format("{}: link target is empty or holds NUL", path_of(name)));
  }
  if (::symlinkat(std::string(target).c_str(), fd_.get(), entry.c_str()) < 0) {
    return error(errno, name, "make symbolic link");
  }
  return ok();
}

Status LinuxDir::make_hard_link(Dir& from, std::string_view from_name, std::string_view name) {
  PV_TRY_ASSIGN(const std::string from_entry, checked(from_name));
  PV_TRY_ASSIGN(const std::string entry, checked(name));
  const auto* source = dynamic_cast<LinuxDir*>(&from);
  PV_CHECK(source != nullptr);  // Directories of two Envs never meet.
  if (::linkat(source->fd_.get(), from_entry.c_str(), fd_.get(), entry.c_str(), 0) < 0) {
    return error(errno, name, "make hard link to " + source->path_of(from_name));
  }
  return ok();
}

Status LinuxDir::make_node(std::string_view name, const FileInfo& what) {
  PV_TRY_ASSIGN(const std::string entry, checked(name));
  const mode_t type = node_type_of(what.type);
  if (type == 0) {
    return Error(ErrorCode::InvalidArgument,
                 fmt::format("{}: make node: not a FIFO, socket or device", path_of(name)));
  }
  if (::mknodat(fd_.get(), entry.c_str(), type | kFileMode,
                makedev(what.device_major, what.device_minor)) < 0) {
    return error(errno, name, "make node");
  }
  return settle_mode(entry, kFileMode);
}

Status LinuxDir::remove(std::string_view name, int flags) const {
  PV_TRY_ASSIGN(const std::string entry, checked(name));
  if (::unlinkat(fd_.get(), entry.c_str(), flags) < 0) return error(errno, name, "remove");
  return ok();
}

Status LinuxDir::remove_file(std::string_view name) { return remove(name, 0); }
Status LinuxDir::remove_dir(std::string_view name) { return remove(name, AT_REMOVEDIR); }

Status LinuxDir::rename_no_replace(std::string_view from, std::string_view to) {
  PV_TRY_ASSIGN(const std::string old_name, checked(from));
  PV_TRY_ASSIGN(const std::string new_name, checked(to));
  if (::renameat2(fd_.get(), old_name.c_str(), fd_.get(), new_name.c_str(), RENAME_NOREPLACE) ==
      0) {
    return ok();
  }
  // File systems without the flag (NFS) say EINVAL, kernels without the call ENOSYS.
  if (errno == EINVAL || errno == ENOSYS) return move_by_link(old_name, new_name);
  const int number = errno;
  return error(number, number == EEXIST ? to : from, fmt::format("rename to {}", to));
}

Status LinuxDir::move_by_link(const std::string& from, const std::string& to) const {
  // As exclusive as a rename without replacing; a crash between the two leaves both names.
  if (::linkat(fd_.get(), from.c_str(), fd_.get(), to.c_str(), 0) < 0) {
    const int number = errno;
    return error(number, number == EEXIST ? to : from, "rename by hard link");
  }
  if (::unlinkat(fd_.get(), from.c_str(), 0) < 0) return error(errno, from, "remove old name");
  return ok();
}

Status LinuxDir::rename_replace(std::string_view from, std::string_view to) {
  PV_TRY_ASSIGN(const std::string old_name, checked(from));
  PV_TRY_ASSIGN(const std::string new_name, checked(to));
  if (::renameat(fd_.get(), old_name.c_str(), fd_.get(), new_name.c_str()) < 0) {
    return error(errno, from, fmt::format("rename to {}", to));
  }
  return ok();
}

Status LinuxDir::sync() {
  // SMB cannot sync directories and says so (F3.7); its names are durable when the server says.
  if (::fsync(fd_.get()) < 0 && errno != EINVAL && errno != EOPNOTSUPP) {
    return error(errno, "", "sync directory");
  }
  return ok();
}

// Since Linux 5.8 it reports what writeback could not write since the descriptor was opened.
Status LinuxDir::sync_file_system() {
  return ::syncfs(fd_.get()) < 0 ? error(errno, "", "sync file system") : ok();
}

// Metadata.

Status LinuxDir::set_metadata(std::string_view name, const MetadataChange& change) {
  PV_TRY_ASSIGN(const std::string entry, checked_or_self(name));
  const bool self = entry.empty();
  // Owner first: changing it clears setuid and setgid.
  if (change.uid || change.gid) {
    constexpr auto kKeep = static_cast<std::uint32_t>(-1);
    if (::fchownat(fd_.get(), entry.c_str(), change.uid.value_or(kKeep), change.gid.value_or(kKeep),
                   AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0) {
      return error(errno, name, "set owner");
    }
  }
  if (change.mode) {
    struct stat status {};
    if (::fstatat(fd_.get(), entry.c_str(), &status, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0) {
      return error(errno, name, "set mode");
    }
    const int answer = self                      ? ::fchmod(fd_.get(), *change.mode)
                       : S_ISLNK(status.st_mode) ? 0
                                                 : ::fchmodat(fd_.get(), entry.c_str(),
                                                              *change.mode, AT_SYMLINK_NOFOLLOW);
    if (answer < 0) return error(errno, name, "set mode");
  }
  if (change.mtime_ns) {
    const std::array<timespec, 2> times = {timespec{.tv_sec = 0, .tv_nsec = UTIME_OMIT},
                                           timespec_of(*change.mtime_ns)};
    const int answer =
        self ? ::futimens(fd_.get(), times.data())
             : ::utimensat(fd_.get(), entry.c_str(), times.data(), AT_SYMLINK_NOFOLLOW);
    if (answer < 0) return error(errno, name, "set times");
  }
  return ok();
}

}  // namespace pagevault
