// Files in memory with the locks that SQLite's connections see on a Unix file system.

#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pagevault/base/bytes.h"

namespace pagevault::testing {

/// One open file of one connection.
using LockOwner = std::uint64_t;

/// The five levels of a database file: SQLITE_LOCK_NONE, SHARED, RESERVED, PENDING, EXCLUSIVE.
/// Source: "File Locking And Concurrency" (sqlite.org), and unixLock() in os_unix.c.
class FileLocks {
 public:
  /// False when others are in the way. A failed attempt at EXCLUSIVE may leave PENDING.
  bool lock(LockOwner owner, int level);
  /// Down to SHARED or NONE.
  void unlock(LockOwner owner, int level);
  bool reserved_by_other(LockOwner owner) const;

 private:
  bool other_has(LockOwner owner, int level_min) const;

  std::map<LockOwner, int> levels_;  // Absent: none.
};

/// The memory beside a database that its connections share: the index of the write-ahead log.
class SharedMemory {
 public:
  static constexpr std::size_t kLocks = 8;  // SQLITE_SHM_NLOCK

  /// The first user finds it empty, as in os_unix.c, where it truncates what a crash left.
  void attach();
  void detach(LockOwner owner);

  /// The bytes of a region, zeros at first; nullptr when it is not there and not to be made. Valid
  /// as long as the memory is, also after a detach.
  std::byte* region(std::size_t index, std::size_t bytes, bool create);
  bool lock_shared(LockOwner owner, std::size_t slot);
  bool lock_exclusive(LockOwner owner, std::size_t slot, std::size_t count);
  void unlock(LockOwner owner, std::size_t slot, std::size_t count);

 private:
  struct Lock {
    std::vector<LockOwner> shared;
    LockOwner exclusive = 0;  // 0: nobody.
    bool free_for(LockOwner owner) const;
  };
  std::array<Lock, kLocks> locks_;
  std::vector<Bytes> regions_;
  // What earlier users had mapped: a connection that was abandoned may still write there.
  std::vector<std::vector<Bytes>> abandoned_;
  unsigned users_ = 0;
};

struct FileNode {
  Bytes content;
  FileLocks locks;
  SharedMemory shared_memory;
};

/// Names and the files behind them. A removed file lives on for those who have it open.
/// Not thread-safe: for the holder of the Scheduler's baton.
class MemoryDisk {
 public:
  /// nullptr when there is none.
  std::shared_ptr<FileNode> find(const std::string& name) const;
  std::shared_ptr<FileNode> find_or_create(const std::string& name);
  bool remove(const std::string& name) { return files_.erase(name) > 0; }

 private:
  std::map<std::string, std::shared_ptr<FileNode>> files_;
};

/// Reads what there is of `out` at `offset`; returns the bytes read.
std::size_t read_bytes(const FileNode& node, std::uint64_t offset, MutableBytes out);
void write_bytes(FileNode& node, std::uint64_t offset, ByteView data);

}  // namespace pagevault::testing
