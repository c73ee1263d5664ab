#include "helper_file.h"

#include <fcntl.h>
#include <sqlite3.h>

#include <bit>
#include <cstring>
#include <string_view>

#include "helper_message.h"

namespace pagevault::sqlitesupport {
namespace {

// The file that was passed on: it may have no name, and SQLite would follow the link in /proc to
// the one it had, and open no link itself. So the path stays as it is, and opening it duplicates
// the descriptor. All else is the VFS for files without locks.
constexpr char kVfsName[] = "inherited-file";

int open_inherited(const char* path, int flags, int mode) {
  if (std::string_view(path) != kInheritedFilePath) return ::open(path, flags, mode);
  return ::fcntl(kInheritedFile, F_DUPFD_CLOEXEC, kInheritedFile);
}

int keep_path(sqlite3_vfs*, const char* path, int size, char* out) {
  sqlite3_snprintf(size, out, "%s", path);
  return std::strlen(path) < static_cast<std::size_t>(size) ? SQLITE_OK : SQLITE_CANTOPEN;
}

bool register_inherited_file() {
  static sqlite3_vfs vfs;
  sqlite3_vfs* const plain = sqlite3_vfs_find("unix-none");
  if (plain == nullptr || plain->iVersion < 3) return false;
  // SQLite's documented way; it calls what is set with the type of the call it replaces.
  const auto replaced = std::bit_cast<sqlite3_syscall_ptr>(&open_inherited);
  if (plain->xSetSystemCall(plain, "open", replaced) != SQLITE_OK) return false;
  vfs = *plain;
  vfs.pNext = nullptr;
  vfs.zName = kVfsName;
  vfs.xFullPathname = keep_path;
  constexpr int kNotTheDefault = 0;
  return sqlite3_vfs_register(&vfs, kNotTheDefault) == SQLITE_OK;
}

}  // namespace

Result<const char*> inherited_file_vfs() {
  static const bool kRegistered = register_inherited_file();
  if (kRegistered) return kVfsName;
  return Error(ErrorCode::Unsupported, "this SQLite opens files by name only");
}

}  // namespace pagevault::sqlitesupport
