// Runs logical threads one at a time, in an order that a seed decides: one seed, one interleaving.
//
// Each logical thread is a real one, since SQLite keeps its state on the stack, but only the holder
// of the baton runs. At each point() the seed decides who goes on. Nothing waits for time.

#pragma once

#include <sched.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

namespace pagevault::testing {

/// spawn and run are for the thread that owns the scheduler, and spawn for logical threads too; all
/// else is for logical threads, and does nothing in others (so that a scenario can be prepared).
class Scheduler {
 public:
  explicit Scheduler(std::uint64_t seed);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Adds a logical thread; it runs when its turn comes.
  void spawn(std::function<void()> body);
  /// Runs until every thread has returned or is parked; then lets the parked ones return, one after
  /// the other.
  void run();

  /// May pass the baton. `what` names the place in the trace.
  void point(std::uint64_t what);
  /// Passes the baton to another thread if there is one: for those who wait for something.
  void yield();
  /// Gives the baton away for good. Returns when run() has nothing else left to run.
  void park();

  /// Of the calling thread's seed-decided sequence; also for those who prepare a scenario.
  std::uint64_t random() { return random_(); }
  /// `below` > 0.
  std::uint64_t random(std::uint64_t below) { return random_() % below; }

  /// A hash of all places and of who was there: equal for equal interleavings.
  std::uint64_t trace() const { return trace_; }
  std::uint64_t points() const { return points_; }
  std::uint64_t switches() const { return switches_; }

 private:
  enum class State : std::uint8_t { Ready, Parked, Done };
  struct Thread {
    std::size_t index = 0;
    std::binary_semaphore turn{0};
    State state = State::Ready;
    std::uint64_t weight = 1;
    std::thread thread;
  };

  Thread* self() const;
  Thread* pick(const Thread* except);
  void pass(Thread* from, Thread* to);
  void leave(Thread* from, State state);
  void new_mood();
  void note(std::uint64_t what);

  static thread_local Thread* current_thread;
  static thread_local const Scheduler* current_scheduler;

  cpu_set_t processors_before_{};

  // Only the holder of the baton touches these.
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::uint64_t stride_ = 1;  // A switch is thought of at one point in so many.
  std::uint64_t trace_ = 1469598103934665603U;
  std::uint64_t points_ = 0;
  std::uint64_t switches_ = 0;
  std::binary_semaphore owner_turn_{0};
};

}  // namespace pagevault::testing
