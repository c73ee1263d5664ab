#include "threaded_queue.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "pagevault/base/bounded_queue.h"
#include "pagevault/base/env.h"

namespace pagevault {

namespace {

// Enough to keep a disk's queue filled; the threads sleep in the kernel, not on a processor.
constexpr unsigned kThreadsMax = 4;

struct Operation {
  File* file = nullptr;
  std::uint64_t offset = 0;
  MutableBytes out;  // Of a read.
  ByteView in;       // Of a write.
  bool is_write = false;
  std::uint64_t tag = 0;
};

Result<std::size_t> run(const Operation& operation) {
  if (!operation.is_write) return operation.file->read_at(operation.offset, operation.out);
  PV_TRY(operation.file->write_at(operation.offset, operation.in));
  return operation.in.size();
}

class ThreadedQueue final : public IoQueue {
 public:
  explicit ThreadedQueue(unsigned depth) : depth_(depth), operations_(depth) {
    for (unsigned i = 0; i < std::min(depth, kThreadsMax); ++i) {
      threads_.emplace_back([this] { work(); });
    }
  }

  ~ThreadedQueue() override {
    operations_.close();  // The threads finish what is queued first.
    for (std::thread& thread : threads_) thread.join();
  }

  void register_arena(MutableBytes) override {}

  void read(File& file, std::uint64_t offset, MutableBytes out, std::uint64_t tag) override {
    start({.file = &file, .offset = offset, .out = out, .in = {}, .tag = tag});
  }
  void write(File& file, std::uint64_t offset, ByteView data, std::uint64_t tag) override {
    start({.file = &file, .offset = offset, .out = {}, .in = data, .is_write = true, .tag = tag});
  }
  void flush() override {}  // Everything has started already.

  std::vector<IoCompletion> wait() override {
    if (in_flight_ == 0) return {};
    std::unique_lock lock(mutex_);
    some_done_.wait(lock, [this] { return !done_.empty(); });
    in_flight_ -= done_.size();
    return std::exchange(done_, {});
  }

  std::size_t in_flight() const override { return in_flight_; }
  bool full() const override { return in_flight_ >= depth_; }

 private:
  void start(const Operation& operation) {
    PV_CHECK(!full());
    ++in_flight_;
    PV_CHECK(operations_.push(operation));
  }

  void work() {
    while (const auto operation = operations_.pop()) {
      IoCompletion completion{operation->tag, run(*operation)};
      // Notified under the lock: the owner may destroy the queue once it has the last completion.
      const std::lock_guard lock(mutex_);
      done_.push_back(std::move(completion));
      some_done_.notify_one();
    }
  }

  const std::size_t depth_;
  std::size_t in_flight_ = 0;  // The owner's thread only: started and not yet returned by wait.
  BoundedQueue<Operation> operations_;
  std::mutex mutex_;
  std::condition_variable some_done_;
  std::vector<IoCompletion> done_;  // Guarded by mutex_.
  std::vector<std::thread> threads_;
};

}  // namespace

std::unique_ptr<IoQueue> make_threaded_queue(unsigned depth) {
  return std::make_unique<ThreadedQueue>(std::max(depth, 1U));
}

}  // namespace pagevault
