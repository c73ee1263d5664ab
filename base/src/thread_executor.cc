#include "thread_executor.h"

#include <algorithm>

namespace pagevault {

ThreadExecutor::ThreadExecutor(unsigned threads, std::size_t queue_max)
    : queue_(std::max<std::size_t>(queue_max, 1)) {
  for (unsigned i = 0; i < std::max(threads, 1U); ++i) threads_.emplace_back([this] { work(); });
}

ThreadExecutor::~ThreadExecutor() {
  queue_.close();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadExecutor::submit(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    ++unfinished_;
  }
  PV_CHECK(queue_.push(std::move(task)));  // Only the destructor closes the queue.
}

void ThreadExecutor::wait_idle() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return unfinished_ == 0; });
}

void ThreadExecutor::work() {
  while (auto task = queue_.pop()) {
    (*task)();
    task.reset();  // What the task captured dies before wait_idle returns.
    const std::lock_guard lock(mutex_);
    if (--unfinished_ == 0) idle_.notify_all();
  }
}

}  // namespace pagevault
