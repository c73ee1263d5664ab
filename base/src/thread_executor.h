// The Executor of LinuxEnv: threads that take tasks from one bounded queue.

#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "pagevault/base/bounded_queue.h"
#include "pagevault/base/env.h"

namespace pagevault {

class ThreadExecutor final : public Executor {
 public:
  /// 0 threads or places are taken as 1.
  ThreadExecutor(unsigned threads, std::size_t queue_max);
  /// Runs what was submitted, then joins.
  ~ThreadExecutor() override;

  void submit(std::function<void()> task) override;
  void wait_idle() override;
  unsigned threads() const override { return static_cast<unsigned>(threads_.size()); }

 private:
  void work();

  BoundedQueue<std::function<void()>> queue_;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::size_t unfinished_ = 0;  // Guarded by mutex_: tasks submitted and not yet returned.
  std::vector<std::thread> threads_;
};

}  // namespace pagevault
