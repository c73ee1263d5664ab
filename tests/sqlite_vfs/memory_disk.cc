#include "sqlite_vfs/memory_disk.h"

#include <sqlite3.h>

#include <algorithm>

namespace pagevault::testing {

bool FileLocks::lock(LockOwner owner, int level) {
  int& held = levels_[owner];
  if (held >= level) return true;
  if (level == SQLITE_LOCK_SHARED) {
    if (other_has(owner, SQLITE_LOCK_PENDING)) return false;
  } else if (level == SQLITE_LOCK_RESERVED) {
    if (other_has(owner, SQLITE_LOCK_RESERVED)) return false;
  } else {
    if (other_has(owner, SQLITE_LOCK_PENDING)) return false;
    held = SQLITE_LOCK_PENDING;
    if (level == SQLITE_LOCK_EXCLUSIVE && other_has(owner, SQLITE_LOCK_SHARED)) return false;
  }
  held = level;
  return true;
}

void FileLocks::unlock(LockOwner owner, int level) {
  const auto held = levels_.find(owner);
  if (held == levels_.end() || held->second <= level) return;
  if (level == SQLITE_LOCK_NONE) {
    levels_.erase(held);
  } else {
    held->second = level;
  }
}

bool FileLocks::reserved_by_other(LockOwner owner) const {
  return other_has(owner, SQLITE_LOCK_RESERVED);
}

bool FileLocks::other_has(LockOwner owner, int level_min) const {
  return std::any_of(levels_.begin(), levels_.end(), [&](const auto& entry) {
    return entry.first != owner && entry.second >= level_min;
  });
}

void SharedMemory::attach() {
  if (users_++ > 0) return;
  abandoned_.push_back(std::move(regions_));
  regions_.clear();
  locks_ = {};
}

void SharedMemory::detach(LockOwner owner) {
  unlock(owner, 0, kLocks);
  --users_;
}

std::byte* SharedMemory::region(std::size_t index, std::size_t bytes, bool create) {
  if (index >= regions_.size() && !create) return nullptr;
  while (regions_.size() <= index) regions_.emplace_back(bytes);
  return regions_[index].data();
}

bool SharedMemory::Lock::free_for(LockOwner owner) const {
  return (exclusive == 0 || exclusive == owner) &&
         std::all_of(shared.begin(), shared.end(), [owner](LockOwner o) { return o == owner; });
}

bool SharedMemory::lock_shared(LockOwner owner, std::size_t slot) {
  Lock& lock = locks_[slot];
  if (lock.exclusive != 0 && lock.exclusive != owner) return false;
  if (std::find(lock.shared.begin(), lock.shared.end(), owner) == lock.shared.end()) {
    lock.shared.push_back(owner);
  }
  return true;
}

bool SharedMemory::lock_exclusive(LockOwner owner, std::size_t slot, std::size_t count) {
  const auto begin = locks_.begin() + static_cast<std::ptrdiff_t>(slot);
  const auto end = begin + static_cast<std::ptrdiff_t>(count);
  if (!std::all_of(begin, end, [owner](const Lock& l) { return l.free_for(owner); })) return false;
  std::for_each(begin, end, [owner](Lock& l) { l.exclusive = owner; });
  return true;
}

void SharedMemory::unlock(LockOwner owner, std::size_t slot, std::size_t count) {
  for (std::size_t i = slot; i < slot + count; ++i) {
    if (locks_[i].exclusive == owner) locks_[i].exclusive = 0;
    std::erase(locks_[i].shared, owner);
  }
}

std::shared_ptr<FileNode> MemoryDisk::find(const std::string& name) const {
  const auto found = files_.find(name);
  return found == files_.end() ? nullptr : found->second;
}

std::shared_ptr<FileNode> MemoryDisk::find_or_create(const std::string& name) {
  auto& node = files_[name];
  if (node == nullptr) node = std::make_shared<FileNode>();
  return node;
}

std::size_t read_bytes(const FileNode& node, std::uint64_t offset, MutableBytes out) {
  if (offset >= node.content.size()) return 0;
  const std::size_t got = std::min<std::size_t>(out.size(), node.content.size() - offset);
  std::copy_n(node.content.begin() + static_cast<std::ptrdiff_t>(offset), got, out.begin());
  return got;
}

void write_bytes(FileNode& node, std::uint64_t offset, ByteView data) {
  if (node.content.size() < offset + data.size()) node.content.resize(offset + data.size());
  std::copy(data.begin(), data.end(), node.content.begin() + static_cast<std::ptrdiff_t>(offset));
}

}  // namespace pagevault::testing
