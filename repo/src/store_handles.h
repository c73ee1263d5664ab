// Open directories and packs of a directory store, opened lazily and kept.

#pragma once

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "pagevault/base/env.h"
#include "pagevault/repo/store.h"

namespace pagevault::repo {

/// Handles may be in use by one thread while another forgets them after an error, hence shared:
/// the owners are the cache and the calls in progress.
using SharedDir = std::shared_ptr<Dir>;
using SharedFile = std::shared_ptr<File>;

/// Thread-safe. Holds at most the store's fixed folders: 256 + 8 handles.
class FolderHandles {
 public:
  FolderHandles(Env& env, std::string root_path) : env_(env), root_path_(std::move(root_path)) {}

  /// `folder` as in StorePlace.
  Result<SharedDir> open(const std::string& folder);
  /// Forgets every handle, so that the next use opens by path again (F3.1: stale handles).
  void forget_all();

 private:
  Result<SharedDir> open_locked(const std::string& folder);

  Env& env_;
  const std::string root_path_;
  std::mutex mutex_;
  std::map<std::string, SharedDir> open_;  // Guarded by mutex_.
};

/// The objects read last, least recently used first out. Thread-safe.
class FileHandles {
 public:
  static constexpr std::size_t kOpenMax = 64;

  explicit FileHandles(FolderHandles& folders) : folders_(folders) {}

  Result<SharedFile> open(const ObjectName& name);
  void forget(const ObjectName& name);

 private:
  using Entry = std::pair<ObjectName, SharedFile>;

  FolderHandles& folders_;
  std::mutex mutex_;
  std::list<Entry> recent_;                                   // Guarded by mutex_; newest first.
  std::map<ObjectName, std::list<Entry>::iterator> by_name_;  // Guarded by mutex_.
};

/// An I/O queue per thread, kept between calls: an io_uring serves only the thread that made it. A
/// call takes its thread's queue, uses it alone and gives it back.
class ThreadQueues {
 public:
  static constexpr unsigned kDepth = 32;
  /// More than the threads that read at one time; beyond it, queues of threads that may have ended
  /// are closed.
  static constexpr std::size_t kIdleMax = 16;

  explicit ThreadQueues(Env& env) : env_(env) {}

  std::unique_ptr<IoQueue> take();
  void give_back(std::unique_ptr<IoQueue> queue);

 private:
  Env& env_;
  std::mutex mutex_;
  std::map<std::uint64_t, std::unique_ptr<IoQueue>> idle_;  // By thread; guarded by mutex_.
};

}  // namespace pagevault::repo
