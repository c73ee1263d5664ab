#include "sim_disk.h"

#include <algorithm>
#include <deque>
#include <utility>

namespace pagevault::sim {

namespace {

constexpr unsigned kLinksFollowedMax = 40;  // As Linux.
constexpr std::uint64_t kOrphansBeforeCollect = 256;
constexpr std::uint64_t kDirectoryBytes = 4096;

std::deque<std::string> components(std::string_view path) {
  std::deque<std::string> result;
  while (!path.empty()) {
    const auto slash = std::min(path.find('/'), path.size());
    if (slash != 0) result.emplace_back(path.substr(0, slash));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return result;
}

std::uint64_t round_to_pages(std::uint64_t bytes) {
  return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
}

void touch(Inode& inode, std::int64_t now_ns) {
  if (!inode.durable_metadata) inode.durable_metadata = inode.metadata;
  inode.metadata.mtime_ns = now_ns;
  inode.metadata.ctime_ns = now_ns;
}

/// Before content changes: remembers what is on the disk.
void keep_durable(Inode& inode) {
  if (inode.durable) return;
  inode.durable = inode.content;
  inode.smallest_size = inode.content.size();
}

/// After a write: what a failed sync had marked clean will be written by the next one.
void make_dirty_again(Inode& inode, ByteRange range) {
  if (inode.dropped_pages.empty() || range.length == 0) return;
  inode.dropped_pages.erase(
      inode.dropped_pages.lower_bound(range.offset / kPageBytes),
      inode.dropped_pages.upper_bound((range.offset + range.length - 1) / kPageBytes));
}

}  // namespace

Disk::Disk(std::int64_t now_ns) : inodes_(kRoot) {
  Inode root;
  root.type = FileType::Directory;
  root.links = 1;
  root.metadata.mode = 0755;
  root.metadata.mtime_ns = root.metadata.ctime_ns = now_ns;
  add(std::move(root));
}

Inode& Disk::edit(InodeNumber number) {
  auto& pointer = inodes_[number];
  if (pointer.use_count() > 1) pointer = std::make_shared<Inode>(*pointer);
  return *pointer;
}

FileInfo Disk::info(InodeNumber number) const {
  const Inode& inode = at(number);
  FileInfo info;
  info.type = inode.type;
  info.mode = inode.metadata.mode;
  info.uid = inode.metadata.uid;
  info.gid = inode.metadata.gid;
  info.mtime_ns = inode.metadata.mtime_ns;
  info.ctime_ns = inode.metadata.ctime_ns;
  info.device = 1;
  info.inode = number;
  info.links = inode.links;
  info.device_major = inode.device_major;
  info.device_minor = inode.device_minor;
  if (inode.type == FileType::Regular) info.size = inode.content.size();
  if (inode.type == FileType::Symlink) info.size = inode.link_target.size();
  if (inode.type == FileType::Directory) info.size = kDirectoryBytes;
  info.allocated = inode.type == FileType::Directory ? kDirectoryBytes : allocated(number);
  return info;
}

Result<InodeNumber> Disk::resolve(std::string_view path, LastLink last) const {
  std::deque<std::string> todo = components(path);
  std::vector<InodeNumber> trail{kRoot};
  unsigned links = 0;
  while (!todo.empty()) {
    const std::string name = std::move(todo.front());
    todo.pop_front();
    if (at(trail.back()).type != FileType::Directory)
      return Error(ErrorCode::Io, "not a directory");
    if (name == "..") {
      if (trail.size() > 1) trail.pop_back();
      continue;
    }
    const InodeNumber child = name == "." ? trail.back() : lookup(trail.back(), name);
    if (child == kNoInode) return Error(ErrorCode::NotFound, "no such file or directory");
    if (at(child).type == FileType::Symlink && (!todo.empty() || last == LastLink::Follow)) {
      if (++links > kLinksFollowedMax) return Error(ErrorCode::Io, "too many symbolic links");
      const std::string& target = at(child).link_target;
      if (target.starts_with('/')) trail.resize(1);
      const auto parts = components(target);
      todo.insert(todo.begin(), parts.begin(), parts.end());
    } else if (name != ".") {
      trail.push_back(child);
    }
  }
  return trail.back();
}

InodeNumber Disk::lookup(InodeNumber directory, std::string_view name) const {
  const Entries& entries = at(directory).entries;
  const auto entry = entries.find(name);
  return entry == entries.end() ? kNoInode : entry->second;
}

InodeNumber Disk::add(Inode inode) {
  inodes_.push_back(std::make_shared<Inode>(std::move(inode)));
  return inodes_.size() - 1;
}

void Disk::move_name(InodeNumber directory, const NameChange& change) {
  Entries& entries = edit(directory).entries;
  if (change.after == kNoInode) {
    entries.erase(change.name);
  } else {
    entries.insert_or_assign(change.name, change.after);
    ++edit(change.after).links;
  }
  if (change.before != kNoInode && --edit(change.before).links == 0) ++orphans_;
}

void Disk::set_name(InodeNumber directory, std::string_view name, InodeNumber target,
                    std::int64_t now_ns) {
  DirOperation operation;
  operation.sequence = sequence_++;
  operation.first = {std::string(name), lookup(directory, name), target};
  move_name(directory, operation.first);
  Inode& inode = edit(directory);
  touch(inode, now_ns);
  inode.unsynced.push_back(std::move(operation));
}

void Disk::rename(InodeNumber directory, std::string_view from, std::string_view to,
                  std::int64_t now_ns) {
  const InodeNumber target = lookup(directory, from);
  DirOperation operation;
  operation.sequence = sequence_++;
  operation.first = {std::string(to), lookup(directory, to), target};
  operation.second = {std::string(from), target, kNoInode};
  move_name(directory, operation.first);
  move_name(directory, *operation.second);
  Inode& inode = edit(directory);
  touch(inode, now_ns);
  inode.unsynced.push_back(std::move(operation));
}

void Disk::set_name_durable(InodeNumber directory, std::string_view name, InodeNumber target,
                            std::int64_t now_ns) {
  move_name(directory, {std::string(name), lookup(directory, name), target});
  Inode& inode = edit(directory);
  touch(inode, now_ns);
  std::erase_if(inode.unsynced, [&](const DirOperation& operation) {
    return operation.first.name == name || (operation.second && operation.second->name == name);
  });
}

void Disk::sync_names(InodeNumber directory) {
  Inode& inode = edit(directory);
  inode.unsynced.clear();
  inode.durable_metadata.reset();
}

std::uint64_t Disk::allocated(InodeNumber number) const {
  const Inode& inode = at(number);
  return std::max(inode.content.allocated(), round_to_pages(inode.reserved));
}

std::uint64_t Disk::growth_of_write(InodeNumber number, ByteRange range) const {
  const Inode& inode = at(number);
  const std::uint64_t after = inode.content.allocated() + inode.content.growth(range);
  const std::uint64_t before = allocated(number);
  return after > before ? after - before : 0;
}

std::uint64_t Disk::growth_of_reserve(InodeNumber number, std::uint64_t bytes) const {
  const std::uint64_t before = allocated(number);
  const std::uint64_t after = round_to_pages(bytes);
  return after > before ? after - before : 0;
}

void Disk::write(InodeNumber number, std::uint64_t offset, ByteView data, std::int64_t now_ns) {
  const std::uint64_t before = allocated(number);
  Inode& inode = edit(number);
  keep_durable(inode);
  inode.content.write(offset, data);
  make_dirty_again(inode, {offset, data.size()});
  touch(inode, now_ns);
  used_ += allocated(number) - before;
}

void Disk::punch(InodeNumber number, ByteRange range, std::int64_t now_ns) {
  const std::uint64_t before = allocated(number);
  Inode& inode = edit(number);
  keep_durable(inode);
  inode.content.punch(range);
  make_dirty_again(inode, range);
  touch(inode, now_ns);
  used_ = used_ + allocated(number) - before;
}

void Disk::resize(InodeNumber number, std::uint64_t size, std::int64_t now_ns) {
  const std::uint64_t before = allocated(number);
  Inode& inode = edit(number);
  keep_durable(inode);
  if (size < inode.content.size()) inode.reserved = std::min(inode.reserved, size);
  inode.content.resize(size);
  inode.smallest_size = std::min(inode.smallest_size, size);
  touch(inode, now_ns);
  used_ = used_ + allocated(number) - before;
}

void Disk::reserve(InodeNumber number, std::uint64_t bytes) {
  const std::uint64_t before = allocated(number);
  Inode& inode = edit(number);
  inode.reserved = std::max(inode.reserved, bytes);
  used_ += allocated(number) - before;
}

void Disk::sync_content(InodeNumber number) {
  Inode& inode = edit(number);
  inode.durable_metadata.reset();
  if (inode.dropped_pages.empty() || !inode.durable) {
    inode.durable.reset();
    return;
  }
  inode.smallest_size = inode.content.size();
  Content synced = inode.content;
  for (const std::uint64_t page : inode.dropped_pages) synced.share(page, *inode.durable);
  inode.durable = std::move(synced);
}

void Disk::sync_everything() {
  for (InodeNumber number = 0; number < inodes_.size(); ++number) {
    if (!inodes_[number]) continue;
    if (inodes_[number]->type == FileType::Directory) {
      sync_names(number);
    } else {
      sync_content(number);
    }
  }
}

void Disk::fail_sync(InodeNumber number) {
  Inode& inode = edit(number);
  if (!inode.durable) return;
  const auto dirty = inode.content.pages_unlike(*inode.durable);
  inode.dropped_pages.insert(dirty.begin(), dirty.end());
}

void Disk::settle(InodeNumber number) {
  Inode& inode = edit(number);
  inode.durable.reset();
  inode.dropped_pages.clear();
  inode.durable_metadata.reset();
}

Metadata& Disk::edit_metadata(InodeNumber number) {
  Inode& inode = edit(number);
  if (!inode.durable_metadata) inode.durable_metadata = inode.metadata;
  return inode.metadata;
}

void Disk::release(InodeNumber number) { used_ -= allocated(number); }

void Disk::collect(const std::function<bool(InodeNumber)>& is_open) {
  if (orphans_ < kOrphansBeforeCollect) return;
  orphans_ = 0;
  std::vector<bool> needed(inodes_.size());
  for (const auto& inode : inodes_) {
    if (!inode) continue;
    for (const auto& operation : inode->unsynced) {
      needed[operation.first.before] = needed[operation.first.after] = true;
    }
  }
  for (InodeNumber number = kRoot; number < inodes_.size(); ++number) {
    auto& inode = inodes_[number];
    if (inode && inode->links == 0 && !needed[number] && !is_open(number)) inode.reset();
  }
}

}  // namespace pagevault::sim
