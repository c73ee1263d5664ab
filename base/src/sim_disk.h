// The simulated file system: inodes, names, and which of both would survive a power loss.
//
// A regular file keeps its durable content beside the current one while they differ. A directory
// keeps the list of changes since its last sync, each with what the name meant before, so that
// power loss can take back all of them and redo any subset.
//
// Knows no handles, faults or clocks: the caller passes times and says what is open.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "pagevault/base/env.h"
#include "pagevault/base/sim_env.h"
#include "sim_content.h"

namespace pagevault::sim {

/// Index into the inode table; never used twice. 0 is no inode, 1 the root.
using InodeNumber = std::uint64_t;
inline constexpr InodeNumber kNoInode = 0;
inline constexpr InodeNumber kRoot = 1;

struct Metadata {
  std::uint32_t mode = 0;
  std::uint32_t uid = 1000;
  std::uint32_t gid = 1000;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
  std::map<std::string, std::string> xattrs;
};

/// A name that changed its meaning; kNoInode: absent.
struct NameChange {
  std::string name;
  InodeNumber before = kNoInode;
  InodeNumber after = kNoInode;
};

/// One unsynced directory operation. A rename has two changes, the new name first.
struct DirOperation {
  std::uint64_t sequence = 0;  ///< Order over all directories.
  NameChange first;
  std::optional<NameChange> second;
};

using Entries = std::map<std::string, InodeNumber, std::less<>>;

struct Inode {
  FileType type = FileType::Regular;
  std::uint64_t links = 0;  ///< Names of it; directories: 0 or 1.
  Metadata metadata;
  std::optional<Metadata> durable_metadata;  ///< When it differs.
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  bool denied = false;

  std::string link_target;  ///< Symlinks.

  Content content;                        ///< Regular files.
  std::optional<Content> durable;         ///< When it differs.
  std::set<std::uint64_t> dropped_pages;  ///< Marked clean by a failed sync, yet not on the disk.
  std::uint64_t smallest_size = 0;        ///< Since the last sync, while `durable` is there.
  std::uint64_t reserved = 0;             ///< Bytes preallocated.
  ByteRange unreadable;                   ///< Reads that touch it fail.
  ByteRange locked;                       ///< By somebody else.

  Entries entries;                     ///< Directories.
  std::vector<DirOperation> unsynced;  ///< In order.
};

enum class LastLink : std::uint8_t { Follow, Keep };

/// Copying shares all inodes until they change.
class Disk {
 public:
  explicit Disk(std::int64_t now_ns);

  const Inode& at(InodeNumber number) const { return *inodes_[number]; }
  /// The inode for changing; unshares it.
  Inode& edit(InodeNumber number);
  FileInfo info(InodeNumber number) const;

  /// Errors: NotFound; Io for a component that is no directory and for too many links.
  Result<InodeNumber> resolve(std::string_view path, LastLink last) const;
  /// kNoInode when absent.
  InodeNumber lookup(InodeNumber directory, std::string_view name) const;

  InodeNumber add(Inode inode);
  /// Gives `name` a new meaning (kNoInode: removes it) as an unsynced operation.
  void set_name(InodeNumber directory, std::string_view name, InodeNumber target,
                std::int64_t now_ns);
  /// `from` exists; `to` is replaced.
  void rename(InodeNumber directory, std::string_view from, std::string_view to,
              std::int64_t now_ns);
  /// As set_name, durable at once, forgetting what was unsynced about the name.
  void set_name_durable(InodeNumber directory, std::string_view name, InodeNumber target,
                        std::int64_t now_ns);
  void sync_names(InodeNumber directory);

  /// Space is the caller's question: see growth_of_write and growth_of_reserve.
  void write(InodeNumber number, std::uint64_t offset, ByteView data, std::int64_t now_ns);
  void resize(InodeNumber number, std::uint64_t size, std::int64_t now_ns);
  void punch(InodeNumber number, ByteRange range, std::int64_t now_ns);
  void reserve(InodeNumber number, std::uint64_t bytes);
  std::uint64_t growth_of_write(InodeNumber number, ByteRange range) const;
  std::uint64_t growth_of_reserve(InodeNumber number, std::uint64_t bytes) const;
  void sync_content(InodeNumber number);
  void sync_everything();
  /// What fsync's error leaves: the pages count as clean, and no later sync writes them.
  void fail_sync(InodeNumber number);
  /// Content and metadata as they are now become durable.
  void settle(InodeNumber number);
  /// Metadata for changing, its durable version kept.
  Metadata& edit_metadata(InodeNumber number);

  /// Bytes used by files that have a name or are open.
  std::uint64_t used() const { return used_; }
  /// An inode without a name was closed: its space is free. Memory goes with collect.
  void release(InodeNumber number);
  /// Drops inodes nobody could ever see again. Cheap when little was removed.
  void collect(const std::function<bool(InodeNumber)>& is_open);

  /// Decides about everything unsynced, see SimEnv::power_loss. No file may be open.
  void power_loss(const SimPowerLoss& how);
  /// Drops what has no name, as no file is open any more.
  void close_all();

 private:
  std::uint64_t allocated(InodeNumber number) const;
  void move_name(InodeNumber directory, const NameChange& change);
  void recount();
  void recount_below(InodeNumber directory, std::vector<InodeNumber>& todo);

  std::vector<std::shared_ptr<Inode>> inodes_;  // Shared by copies of the disk until changed.
  std::uint64_t sequence_ = 0;
  std::uint64_t used_ = 0;
  std::uint64_t orphans_ = 0;  // Inodes that lost their last name since the last collect.
};

}  // namespace pagevault::sim
