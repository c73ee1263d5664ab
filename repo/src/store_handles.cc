#include "store_handles.h"

#include <atomic>

#include "store_folders.h"

namespace pagevault::repo {

namespace {

/// Unlike std::thread::id never given to a second thread.
std::uint64_t this_thread_number() {
  static std::atomic<std::uint64_t> next = 0;
  thread_local const std::uint64_t kNumber = next++;
  return kNumber;
}

}  // namespace

Result<SharedDir> FolderHandles::open(const std::string& folder) {
  const std::lock_guard lock(mutex_);
  return open_locked(folder);
}

Result<SharedDir> FolderHandles::open_locked(const std::string& folder) {
  if (const auto found = open_.find(folder); found != open_.end()) return found->second;
  SharedDir opened;
  if (folder.empty()) {
    PV_TRY_ASSIGN(opened, env_.open_dir(root_path_));
  } else {
    const std::size_t slash = folder.rfind('/');
    const bool at_root = slash == std::string::npos;
    // Two levels at most: packs/xx.
    PV_TRY_ASSIGN(const SharedDir parent, open_locked(at_root ? "" : folder.substr(0, slash)));
    PV_TRY_ASSIGN(opened, parent->open_dir(at_root ? folder : folder.substr(slash + 1)));
  }
  open_.emplace(folder, opened);
  return opened;
}

void FolderHandles::forget_all() {
  const std::lock_guard lock(mutex_);
  open_.clear();
}

Result<SharedFile> FileHandles::open(const ObjectName& name) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = by_name_.find(name); found != by_name_.end()) {
      recent_.splice(recent_.begin(), recent_, found->second);
      return found->second->second;
    }
  }
  // Not under the lock: opening may wait for a network. Two threads may open the same file; the
  // second handle then simply replaces the first.
  PV_TRY_ASSIGN(const StorePlace place, store_place(name));
  PV_TRY_ASSIGN(const SharedDir dir, folders_.open(place.folder));
  PV_TRY_ASSIGN(SharedFile file, dir->open_file(place.file, OpenMode::Read));
  forget(name);
  const std::lock_guard lock(mutex_);
  recent_.emplace_front(name, file);
  by_name_[name] = recent_.begin();
  if (recent_.size() > kOpenMax) {
    by_name_.erase(recent_.back().first);
    recent_.pop_back();
  }
  return file;
}

void FileHandles::forget(const ObjectName& name) {
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return;
  recent_.erase(found->second);
  by_name_.erase(found);
}

std::unique_ptr<IoQueue> ThreadQueues::take() {
  {
    const std::lock_guard lock(mutex_);
    if (auto mine = idle_.extract(this_thread_number())) return std::move(mine.mapped());
  }
  return env_.make_io_queue(kDepth);
}

void ThreadQueues::give_back(std::unique_ptr<IoQueue> queue) {
  const std::lock_guard lock(mutex_);
  idle_[this_thread_number()] = std::move(queue);
  if (idle_.size() > kIdleMax) idle_.erase(idle_.begin());
}

}  // namespace pagevault::repo
