// A VFS of SQLite over a MemoryDisk, where every call may be the moment at which another thread
// goes on, or at which the calling process dies.
//
// Like os_unix.c in all a connection can see: the five lock levels, shared memory with its locks,
// files that live on while open, an empty file that does not exist for xAccess. Not like it: no
// power failures (sync does nothing: the reader would not survive them either), no mmap.

#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "sqlite_vfs/memory_disk.h"

struct sqlite3_vfs;

namespace pagevault::testing {

enum class VfsOp : std::uint8_t {
  Open,
  Delete,
  Access,
  Read,
  Write,
  Truncate,
  Sync,
  FileSize,
  Lock,
  Unlock,
  CheckReserved,
  ShmMap,
  ShmLock,
  ShmUnlock,
  ShmBarrier,
  ShmUnmap,
};

enum class VfsFileKind : std::uint8_t { Database, Journal, Wal, Temporary };

struct VfsCall {
  VfsOp op = VfsOp::Open;
  VfsFileKind file = VfsFileKind::Database;
};

struct VfsHandle;

/// Who opens files: a process, as far as locks and crashes know. Outlives its files.
struct VfsProcess {
  bool may_write = true;  ///< Else changing a file, shared memory apart, is an offence.
  bool dead = false;      ///< Every call fails and does nothing.
  std::set<VfsHandle*> handles;
};

/// What a scenario decides. Called by the thread that called SQLite.
class VfsHost {
 public:
  virtual ~VfsHost() = default;
  /// The process of this thread.
  virtual VfsProcess& process() = 0;
  /// Before each call on a file that others can see takes effect; true: the process dies instead.
  virtual bool dies_at(const VfsCall& call) = 0;
  /// After its death, when its locks are gone. Calls fail once it returns.
  virtual void after_death() = 0;
  /// Instead of sleeping.
  virtual void wait_a_little() = 0;
  virtual std::uint64_t random() = 0;
};

struct VfsCounts {
  std::uint64_t wal_restarts = 0;     ///< A header written over an older log.
  std::uint64_t wal_truncations = 0;  ///< To nothing.
  std::uint64_t wal_deletions = 0;
  std::uint64_t database_writes = 0;  ///< Pages brought to the database file.
  std::uint64_t hot_journals = 0;     ///< Left by a death.
  std::uint64_t torn_writes = 0;      ///< By a death.
};

/// Registered as SQLite's default VFS, named kName, while it lives; one at a time. Its randomness
/// is the host's: SQLite's own generator is started anew, so that salts and nonces repeat.
class MemoryVfs {
 public:
  static constexpr const char* kName = "pagevault-memory";

  MemoryVfs(MemoryDisk& disk, VfsHost& host);
  ~MemoryVfs();
  MemoryVfs(const MemoryVfs&) = delete;
  MemoryVfs& operator=(const MemoryVfs&) = delete;

  struct Medium {
    int sector_size = 4096;
    int characteristics = 0;  ///< SQLITE_IOCAP_*
  };
  void set_medium(const Medium& medium) { medium_ = medium; }
  const Medium& medium() const { return medium_; }

  const VfsCounts& counts() const { return counts_; }
  /// What processes that must not write did.
  const std::vector<std::string>& offences() const { return offences_; }

  // For the functions of the VFS.
  MemoryDisk& disk() { return disk_; }
  VfsHost& host() { return host_; }
  VfsCounts& counts() { return counts_; }
  /// False when the process is dead, or dies now.
  bool admit(VfsProcess& process, const VfsCall& call);
  /// The same; a process that dies may have written a part.
  bool admit_write(VfsHandle& handle, std::uint64_t offset, ByteView data);
  void note_change(const VfsProcess& process, const char* what, const std::string& name);
  std::unique_ptr<VfsHandle> open(const char* name, int flags);
  void close(VfsHandle& handle);

 private:
  void die(VfsProcess& process);

  MemoryDisk& disk_;
  VfsHost& host_;
  Medium medium_;
  VfsCounts counts_;
  std::vector<std::string> offences_;
  std::unique_ptr<sqlite3_vfs> registration_;
  LockOwner owners_ = 0;
};

/// An open file.
struct VfsHandle {
  MemoryVfs* vfs = nullptr;
  VfsProcess* process = nullptr;
  std::shared_ptr<FileNode> node;
  std::string name;  ///< Empty: temporary.
  LockOwner owner = 0;
  VfsFileKind kind = VfsFileKind::Temporary;
  bool delete_on_close = false;
  bool persist_wal = false;
  bool shm_attached = false;

  /// Gives up its locks and its part of the shared memory.
  void release();
};

}  // namespace pagevault::testing
