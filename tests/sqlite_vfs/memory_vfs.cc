#include "sqlite_vfs/memory_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "pagevault/base/result.h"

namespace pagevault::testing {
namespace {

/// What SQLite allocates for an open file.
struct Slot : sqlite3_file {
  VfsHandle* handle;
};

VfsHandle& handle_of(sqlite3_file* file) { return *static_cast<Slot*>(file)->handle; }
MemoryVfs& vfs_of(sqlite3_vfs* vfs) { return *static_cast<MemoryVfs*>(vfs->pAppData); }

bool admit(VfsHandle& handle, VfsOp op) {
  return handle.vfs->admit(*handle.process, {op, handle.kind});
}

MutableBytes bytes_of(void* data, int size) {
  return {static_cast<std::byte*>(data), static_cast<std::size_t>(size)};
}
ByteView bytes_of(const void* data, int size) {
  return {static_cast<const std::byte*>(data), static_cast<std::size_t>(size)};
}

VfsFileKind kind_of_flags(int flags) {
  if ((flags & SQLITE_OPEN_MAIN_DB) != 0) return VfsFileKind::Database;
  if ((flags & SQLITE_OPEN_MAIN_JOURNAL) != 0) return VfsFileKind::Journal;
  if ((flags & SQLITE_OPEN_WAL) != 0) return VfsFileKind::Wal;
  return VfsFileKind::Temporary;
}

VfsFileKind kind_of_name(const std::string& name) {
  if (name.ends_with("-wal")) return VfsFileKind::Wal;
  return name.ends_with("-journal") ? VfsFileKind::Journal : VfsFileKind::Database;
}

// The functions of an open file, in the order of sqlite3_io_methods.

int file_close(sqlite3_file* file) {
  const std::unique_ptr<VfsHandle> handle(std::exchange(static_cast<Slot*>(file)->handle, nullptr));
  handle->vfs->close(*handle);
  return SQLITE_OK;
}

int file_read(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
  VfsHandle& handle = handle_of(file);
  if (!admit(handle, VfsOp::Read)) return SQLITE_IOERR_READ;
  const MutableBytes bytes = bytes_of(out, size);
  const std::size_t got = read_bytes(*handle.node, static_cast<std::uint64_t>(offset), bytes);
  if (got == bytes.size()) return SQLITE_OK;
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(got), bytes.end(), std::byte{0});
  return SQLITE_IOERR_SHORT_READ;
}

int file_write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  VfsHandle& handle = handle_of(file);
  const auto at = static_cast<std::uint64_t>(offset);
  if (!handle.vfs->admit_write(handle, at, bytes_of(data, size))) return SQLITE_IOERR_WRITE;
  constexpr int kWalHeaderBytes = 32;
  if (handle.kind == VfsFileKind::Wal && offset == 0 && size == kWalHeaderBytes &&
      !handle.node->content.empty()) {
    ++handle.vfs->counts().wal_restarts;
  }
  if (handle.kind == VfsFileKind::Database) ++handle.vfs->counts().database_writes;
  write_bytes(*handle.node, at, bytes_of(data, size));
  return SQLITE_OK;
}

int file_truncate(sqlite3_file* file, sqlite3_int64 size) {
  VfsHandle& handle = handle_of(file);
  if (!admit(handle, VfsOp::Truncate)) return SQLITE_IOERR_TRUNCATE;
  handle.vfs->note_change(*handle.process, "truncate ", handle.name);
  if (handle.kind == VfsFileKind::Wal && size == 0 && !handle.node->content.empty()) {
    ++handle.vfs->counts().wal_truncations;
  }
  handle.node->content.resize(static_cast<std::size_t>(size));
  return SQLITE_OK;
}

int file_sync(sqlite3_file* file, int) {
  return admit(handle_of(file), VfsOp::Sync) ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  VfsHandle& handle = handle_of(file);
  if (!admit(handle, VfsOp::FileSize)) return SQLITE_IOERR_FSTAT;
  *size = static_cast<sqlite3_int64>(handle.node->content.size());
  return SQLITE_OK;
}

int file_lock(sqlite3_file* file, int level) {
  VfsHandle& handle = handle_of(file);
  if (!admit(handle, VfsOp::Lock)) return SQLITE_IOERR_LOCK;
  return handle.node->locks.lock(handle.owner, level) ? SQLITE_OK : SQLITE_BUSY;
}

int file_unlock(sqlite3_file* file, int level) {
  VfsHandle& handle = handle_of(file);
  if (!admit(handle, VfsOp::Unlock)) return SQLITE_IOERR_UNLOCK;
  handle.node->locks.unlock(handle.owner, level);
  return SQLITE_OK;
}

int file_check_reserved(sqlite3_file* file, int* answer) {
  VfsHandle& handle = handle_of(file);
  if (!admit(handle, VfsOp::CheckReserved)) return SQLITE_IOERR_CHECKRESERVEDLOCK;
  *answer = handle.node->locks.reserved_by_other(handle.owner) ? 1 : 0;
  return SQLITE_OK;
}

int file_control(sqlite3_file* file, int op, void* argument) {
  VfsHandle& handle = handle_of(file);
  if (op == SQLITE_FCNTL_PERSIST_WAL) {
    int& value = *static_cast<int*>(argument);
    if (value >= 0) handle.persist_wal = value != 0;
    value = handle.persist_wal ? 1 : 0;
    return SQLITE_OK;
  }
  if (op == SQLITE_FCNTL_VFSNAME) {
    *static_cast<char**>(argument) = sqlite3_mprintf("%s", MemoryVfs::kName);
    return SQLITE_OK;
  }
  return SQLITE_NOTFOUND;
}

int file_sector_size(sqlite3_file* file) { return handle_of(file).vfs->medium().sector_size; }

int file_characteristics(sqlite3_file* file) {
  return handle_of(file).vfs->medium().characteristics;
}

int shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
  VfsHandle& handle = handle_of(file);
  *out = nullptr;
  if (!admit(handle, VfsOp::ShmMap)) return SQLITE_IOERR_SHMMAP;
  SharedMemory& memory = handle.node->shared_memory;
  if (!std::exchange(handle.shm_attached, true)) memory.attach();
  *out =
      memory.region(static_cast<std::size_t>(region), static_cast<std::size_t>(size), extend != 0);
  return SQLITE_OK;
}

int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  VfsHandle& handle = handle_of(file);
  const bool unlock = (flags & SQLITE_SHM_UNLOCK) != 0;
  if (!admit(handle, unlock ? VfsOp::ShmUnlock : VfsOp::ShmLock)) return SQLITE_IOERR_SHMLOCK;
  SharedMemory& memory = handle.node->shared_memory;
  const auto slot = static_cast<std::size_t>(offset);
  const auto slots = static_cast<std::size_t>(count);
  PV_CHECK(handle.shm_attached && slot + slots <= SharedMemory::kLocks);
  if (unlock) {
    memory.unlock(handle.owner, slot, slots);
    return SQLITE_OK;
  }
  const bool got = (flags & SQLITE_SHM_SHARED) != 0
                       ? memory.lock_shared(handle.owner, slot)
                       : memory.lock_exclusive(handle.owner, slot, slots);
  return got ? SQLITE_OK : SQLITE_BUSY;
}

void shm_barrier(sqlite3_file* file) {
  // A death here is a death nevertheless: the thread does not come back before all is over.
  static_cast<void>(admit(handle_of(file), VfsOp::ShmBarrier));
}

int shm_unmap(sqlite3_file* file, int) {
  VfsHandle& handle = handle_of(file);
  if (!admit(handle, VfsOp::ShmUnmap)) return SQLITE_OK;
  if (std::exchange(handle.shm_attached, false)) handle.node->shared_memory.detach(handle.owner);
  return SQLITE_OK;
}

constexpr sqlite3_io_methods kMethods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

// The functions of the VFS.

int vfs_open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  file->pMethods = nullptr;
  std::unique_ptr<VfsHandle> handle = vfs_of(vfs).open(name, flags);
  if (handle == nullptr) return SQLITE_CANTOPEN;
  static_cast<Slot*>(file)->handle = handle.release();
  file->pMethods = &kMethods;
  if (flags_out != nullptr) *flags_out = flags;
  return SQLITE_OK;
}

int vfs_delete(sqlite3_vfs* vfs, const char* name, int) {
  MemoryVfs& self = vfs_of(vfs);
  VfsProcess& process = self.host().process();
  const VfsFileKind kind = kind_of_name(name);
  if (!self.admit(process, {VfsOp::Delete, kind})) return SQLITE_IOERR_DELETE;
  self.note_change(process, "delete ", name);
  if (!self.disk().remove(name)) return SQLITE_IOERR_DELETE_NOENT;
  if (kind == VfsFileKind::Wal) ++self.counts().wal_deletions;
  return SQLITE_OK;
}

int vfs_access(sqlite3_vfs* vfs, const char* name, int flags, int* answer) {
  MemoryVfs& self = vfs_of(vfs);
  if (!self.admit(self.host().process(), {VfsOp::Access, kind_of_name(name)})) {
    return SQLITE_IOERR_ACCESS;
  }
  const auto node = self.disk().find(name);
  const bool there = node != nullptr && (flags != SQLITE_ACCESS_EXISTS || !node->content.empty());
  *answer = there ? 1 : 0;
  return SQLITE_OK;
}

int vfs_full_pathname(sqlite3_vfs*, const char* name, int size, char* out) {
  const std::size_t length = std::strlen(name);
  if (length >= static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
  std::copy_n(name, length + 1, out);
  return SQLITE_OK;
}

// No point of switching: SQLite holds a mutex of the whole process here.
int vfs_randomness(sqlite3_vfs* vfs, int size, char* out) {
  std::generate_n(out, size, [&] { return static_cast<char>(vfs_of(vfs).host().random()); });
  return size;
}

int vfs_sleep(sqlite3_vfs* vfs, int microseconds) {
  vfs_of(vfs).host().wait_a_little();
  return microseconds;
}

constexpr sqlite3_int64 kSomeDay = 212'000'000'000'000;  // Julian day number, in milliseconds.

int vfs_current_time(sqlite3_vfs*, double* out) {
  *out = static_cast<double>(kSomeDay) / 86'400'000.0;
  return SQLITE_OK;
}

int vfs_current_time_int64(sqlite3_vfs*, sqlite3_int64* out) {
  *out = kSomeDay;
  return SQLITE_OK;
}

int vfs_last_error(sqlite3_vfs*, int, char*) { return 0; }

sqlite3_vfs make_registration(MemoryVfs* self) {
  sqlite3_vfs vfs{};
  vfs.iVersion = 2;
  vfs.szOsFile = sizeof(Slot);
  vfs.mxPathname = 512;
  vfs.zName = MemoryVfs::kName;
  vfs.pAppData = self;
  vfs.xOpen = vfs_open;
  vfs.xDelete = vfs_delete;
  vfs.xAccess = vfs_access;
  vfs.xFullPathname = vfs_full_pathname;
  vfs.xRandomness = vfs_randomness;
  vfs.xSleep = vfs_sleep;
  vfs.xCurrentTime = vfs_current_time;
  vfs.xGetLastError = vfs_last_error;
  vfs.xCurrentTimeInt64 = vfs_current_time_int64;
  return vfs;
}

}  // namespace

void VfsHandle::release() {
  node->locks.unlock(owner, SQLITE_LOCK_NONE);
  if (std::exchange(shm_attached, false)) node->shared_memory.detach(owner);
}

MemoryVfs::MemoryVfs(MemoryDisk& disk, VfsHost& host)
    : disk_(disk),
      host_(host),
      registration_(std::make_unique<sqlite3_vfs>(make_registration(this))) {
  PV_CHECK(sqlite3_initialize() == SQLITE_OK);
  PV_CHECK(sqlite3_vfs_register(registration_.get(), 1) == SQLITE_OK);
  sqlite3_randomness(0, nullptr);
}

MemoryVfs::~MemoryVfs() { sqlite3_vfs_unregister(registration_.get()); }

std::unique_ptr<VfsHandle> MemoryVfs::open(const char* name, int flags) {
  VfsProcess& process = host_.process();
  const VfsFileKind kind = kind_of_flags(flags);
  auto handle = std::make_unique<VfsHandle>();
  if (name == nullptr || kind == VfsFileKind::Temporary) {
    handle->node = std::make_shared<FileNode>();
  } else {
    if (!admit(process, {VfsOp::Open, kind})) return nullptr;
    const bool create = (flags & SQLITE_OPEN_CREATE) != 0;
    handle->node = create ? disk_.find_or_create(name) : disk_.find(name);
    if (handle->node == nullptr) return nullptr;
    handle->name = name;
    handle->kind = kind;
  }
  handle->vfs = this;
  handle->process = &process;
  handle->owner = ++owners_;
  handle->delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
  process.handles.insert(handle.get());
  return handle;
}

void MemoryVfs::close(VfsHandle& handle) {
  VfsProcess& process = *handle.process;
  if (process.handles.erase(&handle) == 0) return;  // It was released when the process died.
  handle.release();
  if (handle.delete_on_close && !handle.name.empty()) disk_.remove(handle.name);
}

bool MemoryVfs::admit(VfsProcess& process, const VfsCall& call) {
  if (process.dead) return false;
  if (call.file == VfsFileKind::Temporary || !host_.dies_at(call)) return true;
  die(process);
  return false;
}

bool MemoryVfs::admit_write(VfsHandle& handle, std::uint64_t offset, ByteView data) {
  VfsProcess& process = *handle.process;
  if (process.dead) return false;
  if (handle.kind == VfsFileKind::Temporary) return true;
  const bool dies = host_.dies_at({VfsOp::Write, handle.kind});
  note_change(process, "write ", handle.name);
  if (!dies) return true;
  const std::size_t part = host_.random() % (data.size() + 1);
  if (part > 0) {
    write_bytes(*handle.node, offset, data.first(part));
    ++counts_.torn_writes;
  }
  die(process);
  return false;
}

void MemoryVfs::note_change(const VfsProcess& process, const char* what, const std::string& name) {
  if (!process.may_write && !name.empty()) offences_.push_back(what + name);
}

void MemoryVfs::die(VfsProcess& process) {
  process.dead = true;
  for (VfsHandle* handle : std::exchange(process.handles, {})) {
    if (handle->kind == VfsFileKind::Journal && !handle->node->content.empty()) {
      ++counts_.hot_journals;
    }
    handle->release();
  }
  host_.after_death();
}

}  // namespace pagevault::testing
