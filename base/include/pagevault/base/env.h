// The one door to the outside: files, directories, clock, randomness and threads.
//
// Engine and repo code never call the kernel except through an Env, so that the same code runs on
// Linux (LinuxEnv) and inside a deterministic simulator with injected faults (SimEnv).
//
// Names are reached one component at a time through Dir handles, and no call follows a symbolic
// link: what is opened beneath a Dir stays beneath it (S14). Only Env::open_dir takes a path, the
// one the user typed, and follows links as any program does.
//
// Durability: a file's content survives power loss after File::sync, a name after Dir::sync of the
// directory that holds it. A failed write or sync poisons the File: every later call on it answers
// with the first error (F2.3).
//
// Errors everywhere: NotFound (no such name), AlreadyExists, NoSpace (ENOSPC, EDQUOT, EFBIG),
// InvalidArgument (names that are not one component), Io (all else, with the system's text).
// Messages name the path.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pagevault/base/bytes.h"
#include "pagevault/base/cancel_token.h"
#include "pagevault/base/io_queue.h"
#include "pagevault/base/result.h"

namespace pagevault {

enum class FileType : std::uint8_t {
  Regular = 1,
  Directory = 2,
  Symlink = 3,
  Fifo = 4,
  Socket = 5,
  CharDevice = 6,
  BlockDevice = 7,
};

/// What stat says. Times in nanoseconds since the epoch.
struct FileInfo {
  FileType type = FileType::Regular;
  std::uint32_t mode = 0;  ///< Low 12 bits: permissions, setuid, setgid, sticky.
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size = 0;
  std::uint64_t allocated = 0;  ///< Bytes on disk; less than size for sparse files.
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t links = 1;
  std::uint32_t device_major = 0;  ///< Of a device node.
  std::uint32_t device_minor = 0;
};

struct DirEntry {
  std::string name;  ///< Any bytes but '/' and NUL.
};

struct Xattr {
  std::string name;
  std::string value;
};

struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  bool operator==(const ByteRange&) const = default;
};

/// What writes past the page cache are aligned to: no disk asks for more.
inline constexpr std::size_t kDirectAlignment = 4096;

/// An open regular file. Reads may come from several threads at once; writes to one range may not.
class File {
 public:
  virtual ~File() = default;
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  /// Fills `out` from `offset` unless the file ends first; returns the bytes read. Retries EINTR
  /// and short reads itself (F1.7).
  virtual Result<std::size_t> read_at(std::uint64_t offset, MutableBytes out) = 0;
  /// Writes all of `data` at `offset`.
  virtual Status write_at(std::uint64_t offset, ByteView data) = 0;
  /// The same, past the page cache where memory, offset and length are aligned to kDirectAlignment
  /// and the file system can: for much that is synced soon and not read soon. It waits for the
  /// disk, but is durable only after sync like all that is written.
  virtual Status write_past_cache(std::uint64_t offset, ByteView data) {
    return write_at(offset, data);
  }
  /// Makes the content durable (fdatasync and the size).
  virtual Status sync() = 0;
  virtual Status truncate(std::uint64_t size) = 0;
  /// Makes the range read as zeros and gives its space back; where the file system cannot, zeros
  /// are written. Never beyond the end: the size stays.
  virtual Status punch_hole(ByteRange range) = 0;
  /// Reserves space for the range without changing the file's size; ok when the file system
  /// cannot. NoSpace is an error.
  virtual Status preallocate(ByteRange range) = 0;
  virtual Result<FileInfo> info() = 0;
  /// Somebody holds a record lock (fcntl) on part of the range: another process, or this one
  /// through another handle. Takes none itself; but, as POSIX has it, closing this handle drops
  /// those that this process has on the file through others.
  virtual Result<bool> is_locked(ByteRange range) = 0;
  /// The ranges that hold data, ascending (SEEK_DATA/SEEK_HOLE); the whole file when the file
  /// system does not say.
  virtual Result<std::vector<ByteRange>> data_ranges() = 0;
  /// Says the range was read once and will not be again soon, so that a backup does not fill the
  /// page cache. Only pages that were not cached before should be dropped. Best effort.
  virtual void drop_cache(ByteRange range) = 0;
  /// Begins to move what was written in the range to the disk, and does not wait: a later sync
  /// finds less to do, and the disk works while the processor does. Promises nothing. Best effort.
  virtual void start_writeback(ByteRange range) = 0;
  /// Closes and reports what close says. The destructor closes quietly.
  virtual Status close() = 0;
  virtual const std::string& path() const = 0;

 protected:
  File() = default;
};

enum class OpenMode : std::uint8_t {
  Read,
  CreateExclusive,  ///< Read and write; AlreadyExists when the name is taken. Mode 0600.
  ReadWrite,        ///< An existing file.
};

/// Owner, mode and times to set; absent ones stay. A symbolic link has no mode: it is not changed.
struct MetadataChange {
  std::optional<std::uint32_t> mode = {};
  std::optional<std::uint32_t> uid = {};
  std::optional<std::uint32_t> gid = {};
  std::optional<std::int64_t> mtime_ns = {};
};

/// An open directory. `name` is always one component. Thread-safe.
class Dir {
 public:
  virtual ~Dir() = default;
  Dir(const Dir&) = delete;
  Dir& operator=(const Dir&) = delete;

  virtual Result<std::unique_ptr<Dir>> open_dir(std::string_view name) = 0;
  virtual Result<std::unique_ptr<File>> open_file(std::string_view name, OpenMode mode) = 0;
  /// Every name but "." and "..", in the order the system gives them.
  virtual Result<std::vector<DirEntry>> list() = 0;
  virtual Result<FileInfo> stat(std::string_view name) = 0;
  virtual Result<FileInfo> info() = 0;
  virtual Result<std::string> read_link(std::string_view name) = 0;
  /// Mode 0700.
  virtual Status make_dir(std::string_view name) = 0;
  virtual Status make_symlink(std::string_view name, std::string_view target) = 0;
  /// A second name for `from`/`from_name`, which must not be a directory. Never follows links.
  virtual Status make_hard_link(Dir& from, std::string_view from_name, std::string_view name) = 0;
  /// FIFO, socket or device node, of mode 0600 until set_metadata. InvalidArgument for other types.
  virtual Status make_node(std::string_view name, const FileInfo& what) = 0;
  virtual Status remove_file(std::string_view name) = 0;
  virtual Status remove_dir(std::string_view name) = 0;
  /// Renames within this directory; AlreadyExists when `to` is taken, atomically.
  virtual Status rename_no_replace(std::string_view from, std::string_view to) = 0;
  /// Renames within this directory, replacing a non-directory `to` atomically.
  virtual Status rename_replace(std::string_view from, std::string_view to) = 0;
  /// Makes names in this directory durable.
  virtual Status sync() = 0;
  /// Makes everything written so far to the file system that holds this directory durable: content
  /// and names, also of files that are closed. One call instead of one sync for each of many files.
  /// Content that could not be written since this directory was opened is an error.
  virtual Status sync_file_system() = 0;
  /// Of the thing named, not of what it points to. "" names the directory itself.
  virtual Status set_metadata(std::string_view name, const MetadataChange& change) = 0;
  /// Ascending by name; empty where the file system has none. "" names the directory itself.
  virtual Result<std::vector<Xattr>> xattrs(std::string_view name) = 0;
  virtual Status set_xattr(std::string_view name, const Xattr& xattr) = 0;
  /// ok when there is none of this name.
  virtual Status remove_xattr(std::string_view name, const std::string& xattr_name) = 0;
  /// Bytes free to this user on the file system.
  virtual Result<std::uint64_t> free_space() = 0;
  virtual const std::string& path() const = 0;

 protected:
  Dir() = default;
};

/// Runs tasks. On Linux a bounded pool of threads; in the simulator each task runs inside submit,
/// so that a seed decides everything. Tasks must therefore never wait for a later task.
class Executor {
 public:
  virtual ~Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// Queues `task`; waits while the queue is full (bounded memory). Tasks must not throw.
  virtual void submit(std::function<void()> task) = 0;
  /// Waits until every task submitted so far has run.
  virtual void wait_idle() = 0;
  /// Threads that run tasks; 0 when they run inside submit.
  virtual unsigned threads() const = 0;

 protected:
  Executor() = default;
};

class Env {
 public:
  virtual ~Env() = default;
  Env(const Env&) = delete;
  Env& operator=(const Env&) = delete;

  /// `path` as the user gave it; links are followed.
  virtual Result<std::unique_ptr<Dir>> open_dir(const std::string& path) = 0;

  /// Wall clock, nanoseconds since the epoch. Never decides safety (I8).
  virtual std::int64_t now_ns() = 0;
  /// Monotonic nanoseconds from an arbitrary start.
  virtual std::int64_t monotonic_ns() = 0;
  /// Waits until monotonic_ns() is at `deadline_ns`; less when `cancel` is cancelled before, also
  /// by a signal handler. Errors: Cancelled.
  virtual Status wait_until(std::int64_t deadline_ns, const CancelToken& cancel) = 0;
  /// Fills `out` with cryptographically secure bytes. Aborts when there are none (S12).
  virtual void random(MutableBytes out) = 0;

  /// A pool of `threads` threads and a queue of `queue_max` tasks. Destruction waits for all.
  virtual std::unique_ptr<Executor> make_executor(unsigned threads, std::size_t queue_max) = 0;
  /// Asynchronous batched file I/O; one per thread. `depth`: operations in flight at most.
  virtual std::unique_ptr<IoQueue> make_io_queue(unsigned depth) = 0;
  /// Processors this process may use.
  virtual unsigned processors() = 0;
  /// What carries asynchronous I/O, for `-v`: "io_uring", "thread pool (io_uring: EPERM)",
  /// "simulator".
  virtual std::string io_description() = 0;

  virtual std::string user_name(std::uint32_t uid) = 0;  ///< Empty when unknown. Cached.
  virtual std::string group_name(std::uint32_t gid) = 0;
  virtual std::optional<std::uint32_t> user_id(const std::string& name) = 0;
  virtual std::optional<std::uint32_t> group_id(const std::string& name) = 0;
  virtual std::string host_name() = 0;
  virtual std::uint32_t process_id() = 0;
  /// A process of this number runs here. One that is hidden from us (another container) does not.
  virtual bool process_exists(std::uint32_t process_id) = 0;

 protected:
  Env() = default;
};

}  // namespace pagevault
