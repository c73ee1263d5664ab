#include "sqlite_vfs/scheduler.h"

#include <array>

namespace pagevault::testing {

thread_local Scheduler::Thread* Scheduler::current_thread = nullptr;
thread_local const Scheduler* Scheduler::current_scheduler = nullptr;

// All on one processor: to wake a thread on another that sleeps takes much longer than what most
// threads do before they pass the baton on (measured: a third of the time).
Scheduler::Scheduler(std::uint64_t seed) : random_(seed) {
  new_mood();
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(sched_getcpu()), &one);
  sched_getaffinity(0, sizeof processors_before_, &processors_before_);
  sched_setaffinity(0, sizeof one, &one);
}

Scheduler::~Scheduler() {
  sched_setaffinity(0, sizeof processors_before_, &processors_before_);
  for (const auto& thread : threads_) {
    if (thread->thread.joinable()) thread->thread.join();
  }
}

void Scheduler::spawn(std::function<void()> body) {
  auto& thread = *threads_.emplace_back(std::make_unique<Thread>());
  thread.index = threads_.size() - 1;
  thread.thread = std::thread([this, &thread, body = std::move(body)] {
    current_thread = &thread;
    current_scheduler = this;
    thread.turn.acquire();
    body();
    leave(&thread, State::Done);
  });
}

void Scheduler::run() {
  if (Thread* first = pick(nullptr)) {
    first->turn.release();
    owner_turn_.acquire();
  }
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    if (threads_[i]->state != State::Parked) continue;
    threads_[i]->state = State::Ready;
    threads_[i]->turn.release();
    owner_turn_.acquire();
  }
}

void Scheduler::point(std::uint64_t what) {
  Thread* const me = self();
  if (me == nullptr) return;
  ++points_;
  note(what);
  if (random(stride_) != 0) return;
  if (random(64) == 0) new_mood();
  pass(me, pick(nullptr));
}

void Scheduler::yield() {
  Thread* const me = self();
  if (me == nullptr) return;
  if (Thread* const other = pick(me)) pass(me, other);
}

void Scheduler::park() {
  Thread* const me = self();
  if (me == nullptr) return;
  leave(me, State::Parked);
  me->turn.acquire();
}

Scheduler::Thread* Scheduler::self() const {
  return current_scheduler == this ? current_thread : nullptr;
}

Scheduler::Thread* Scheduler::pick(const Thread* except) {
  std::uint64_t sum = 0;
  const auto eligible = [except](const Thread& t) {
    return t.state == State::Ready && &t != except;
  };
  for (const auto& thread : threads_) sum += eligible(*thread) ? thread->weight : 0;
  if (sum == 0) return nullptr;
  std::uint64_t ticket = random(sum);
  for (const auto& thread : threads_) {
    if (!eligible(*thread)) continue;
    if (ticket < thread->weight) return thread.get();
    ticket -= thread->weight;
  }
  return nullptr;
}

void Scheduler::pass(Thread* from, Thread* to) {
  if (to == from || to == nullptr) return;
  ++switches_;
  note(to->index);
  to->turn.release();
  from->turn.acquire();
}

void Scheduler::leave(Thread* from, State state) {
  from->state = state;
  Thread* const next = pick(nullptr);
  note(next == nullptr ? ~std::uint64_t{0} : next->index);
  // Nothing of `this` may be touched after the baton is gone.
  (next == nullptr ? owner_turn_ : next->turn).release();
}

// Even chances alone would hardly ever let one thread stand still while another does a long
// operation from beginning to end; nor would rare switches find the narrow races.
void Scheduler::new_mood() {
  static constexpr std::array<std::uint64_t, 6> kStrides = {1, 1, 2, 4, 8, 16};
  static constexpr std::array<std::uint64_t, 4> kWeights = {1, 4, 4, 40};
  stride_ = kStrides[random(kStrides.size())];
  for (const auto& thread : threads_) thread->weight = kWeights[random(kWeights.size())];
}

void Scheduler::note(std::uint64_t what) { trace_ = (trace_ ^ what) * 1099511628211U; }

}  // namespace pagevault::testing
