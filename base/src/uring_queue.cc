// Operations wait in slots. A slot is *prepared* (its entry lies in the submission ring), then *in
// the kernel*, then either finished or, after a short or interrupted transfer, prepared again for
// the rest. The owner's thread moves it; nothing else touches a slot.
//
// Invariants: (1) at most `depth` operations are between start and return by wait, and both rings
// have room for that many, so that neither overflows; (2) the kernel knows exactly the slots
// counted by in_kernel_; (3) an operation the kernel keeps refusing is done with pread or pwrite
// instead, so that every operation ends.

#include "uring_queue.h"

#include <liburing.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "linux_errors.h"
#include "linux_file.h"
#include "pagevault/base/unique_fd.h"

namespace pagevault {

namespace {

constexpr unsigned kDepthMax = 4096;
constexpr std::size_t kTransferMax = std::size_t{1} << 30;  // The kernel moves just below 2 GiB.
constexpr std::size_t kArenaMax = std::size_t{1} << 30;     // Of one registered buffer.
constexpr unsigned kRefusalsMax = 3;

/// Owns the kernel's ring. Made disabled: the thread that enables it is its only submitter.
class Ring {
 public:
  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() {
    if (made_) io_uring_queue_exit(&ring_);
  }

  /// 0 or a negative errno.
  int make(unsigned entries) {
    // Completions are reaped in wait only: DEFER_TASKRUN (6.1) does their work there, COOP_TASKRUN
    // (5.19) at least sends no interrupt. Older kernels refuse unknown flags with EINVAL.
    static constexpr std::array<unsigned, 4> kFlags = {
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN,
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN, IORING_SETUP_COOP_TASKRUN, 0};
    int answer = -EINVAL;
    for (std::size_t i = 0; i < kFlags.size() && answer == -EINVAL; ++i) {
      answer = io_uring_queue_init(entries, &ring_, kFlags[i] | IORING_SETUP_R_DISABLED);
    }
    made_ = answer == 0;
    return answer;
  }
  int enable() {
    // io_uring_enable_rings, which Debian 12's liburing.so (2.3) declares but does not export.
    return io_uring_register(static_cast<unsigned>(ring_.ring_fd), IORING_REGISTER_ENABLE_RINGS,
                             nullptr, 0);
  }
  io_uring* get() { return &ring_; }

 private:
  io_uring ring_{};
  bool made_ = false;
};

struct Slot {
  LinuxFile* file = nullptr;
  std::uint64_t offset = 0;
  MutableBytes out;  // Of a read.
  ByteView in;       // Of a write.
  bool is_write = false;
  bool in_arena = false;
  std::uint64_t tag = 0;
  std::size_t done = 0;
  unsigned refusals = 0;

  std::size_t size() const { return is_write ? in.size() : out.size(); }
};

bool lies_inside(ByteView part, MutableBytes whole) {
  // std::less orders pointers of different objects, which < need not.
  const std::less<const std::byte*> less;
  return !part.empty() && !less(part.data(), whole.data()) &&
         !less(whole.data() + whole.size(), part.data() + part.size());
}

class UringQueue final : public IoQueue {
 public:
  explicit UringQueue(unsigned depth) : depth_(depth), slots_(depth) {
    for (std::size_t i = 0; i < depth; ++i) free_.push_back(depth - 1 - i);
  }
  ~UringQueue() override {
    while (in_kernel_ > 0 || !prepared_.empty()) wait();
  }

  int make() { return ring_.make(depth_); }

  void register_arena(MutableBytes arena) override;
  void read(File& file, std::uint64_t offset, MutableBytes out, std::uint64_t tag) override;
  void write(File& file, std::uint64_t offset, ByteView data, std::uint64_t tag) override;
  void flush() override;
  std::vector<IoCompletion> wait() override;
  std::size_t in_flight() const override { return in_flight_; }
  bool full() const override { return in_flight_ >= depth_; }

 private:
  void start(Slot slot);
  void prepare(std::size_t index);
  void submit(unsigned wait_for);
  void give_up_submitting();
  void reap();
  void advance(std::size_t index, int answer);
  void refused(std::size_t index);
  void run_here(std::size_t index);
  void finish(std::size_t index, Result<std::size_t> bytes);

  const unsigned depth_;
  Ring ring_;
  MutableBytes arena_;  // Registered, or empty.
  bool arena_tried_ = false;
  bool enabled_ = false;
  bool broken_ = false;  // The kernel takes no more submissions; everything runs here.
  std::vector<Slot> slots_;
  std::vector<std::size_t> free_;
  std::deque<std::size_t> prepared_;  // In submission order.
  std::size_t in_kernel_ = 0;
  std::vector<IoCompletion> finished_;  // Not yet returned by wait.
  std::size_t in_flight_ = 0;           // prepared, in the kernel or finished.
};

void UringQueue::register_arena(MutableBytes arena) {
  PV_CHECK(!std::exchange(arena_tried_, true));
  if (arena.empty() || arena.size() > kArenaMax) return;
  const iovec whole = {.iov_base = arena.data(), .iov_len = arena.size()};
  // ENOMEM under a small RLIMIT_MEMLOCK: plain reads and writes do the same, a little slower.
  if (io_uring_register_buffers(ring_.get(), &whole, 1) == 0) arena_ = arena;
}

void UringQueue::read(File& file, std::uint64_t offset, MutableBytes out, std::uint64_t tag) {
  auto* linux_file = dynamic_cast<LinuxFile*>(&file);
  PV_CHECK(linux_file != nullptr);
  Slot slot;
  slot.file = linux_file;
  slot.offset = offset;
  slot.out = out;
  slot.in_arena = lies_inside(out, arena_);
  slot.tag = tag;
  linux_file->before_read({offset, out.size()});
  start(slot);
}

void UringQueue::write(File& file, std::uint64_t offset, ByteView data, std::uint64_t tag) {
  auto* linux_file = dynamic_cast<LinuxFile*>(&file);
  PV_CHECK(linux_file != nullptr);
  Slot slot;
  slot.file = linux_file;
  slot.offset = offset;
  slot.in = data;
  slot.is_write = true;
  slot.in_arena = lies_inside(data, arena_);
  slot.tag = tag;
  start(slot);
}

void UringQueue::start(Slot slot) {
  PV_CHECK(!full());
  if (!std::exchange(enabled_, true)) broken_ = ring_.enable() < 0;
  ++in_flight_;
  const std::size_t index = free_.back();
  free_.pop_back();
  slots_[index] = slot;
  if (const Status usable = slot.file->usable(); !usable) return finish(index, usable.error());
  if (slot.size() == 0) return finish(index, std::size_t{0});
  prepare(index);
}

void UringQueue::prepare(std::size_t index) {
  if (broken_) return run_here(index);
  const Slot& slot = slots_[index];
  io_uring_sqe* entry = io_uring_get_sqe(ring_.get());
  PV_CHECK(entry != nullptr);  // The ring holds `depth` entries, and so many slots there are.
  const auto length = static_cast<unsigned>(std::min(slot.size() - slot.done, kTransferMax));
  const std::uint64_t offset = slot.offset + slot.done;
  const int fd = slot.file->fd();
  if (slot.is_write && slot.in_arena) {
    io_uring_prep_write_fixed(entry, fd, slot.in.data() + slot.done, length, offset, 0);
  } else if (slot.is_write) {
    io_uring_prep_write(entry, fd, slot.in.data() + slot.done, length, offset);
  } else if (slot.in_arena) {
    io_uring_prep_read_fixed(entry, fd, slot.out.data() + slot.done, length, offset, 0);
  } else {
    io_uring_prep_read(entry, fd, slot.out.data() + slot.done, length, offset);
  }
  // A refused attempt goes to a kernel thread, which can wait where the first could not.
  if (slot.refusals > 0) io_uring_sqe_set_flags(entry, IOSQE_ASYNC);
  io_uring_sqe_set_data64(entry, index);
  prepared_.push_back(index);
}

void UringQueue::submit(unsigned wait_for) {
  const int answer =
      wait_for > 0 ? io_uring_submit_and_wait(ring_.get(), wait_for) : io_uring_submit(ring_.get());
  if (answer == -EINTR) return;  // The callers call again while something is left to do.
  if (answer < 0) return give_up_submitting();
  const auto taken = std::min(static_cast<std::size_t>(answer), prepared_.size());
  prepared_.erase(prepared_.begin(), prepared_.begin() + static_cast<std::ptrdiff_t>(taken));
  in_kernel_ += taken;
}

void UringQueue::give_up_submitting() {
  // No memory for requests, or an operation from a second thread. The entries stay in the ring
  // unread, as nothing is ever submitted again; what the kernel has already is still reaped.
  broken_ = true;
  for (const std::size_t index : std::exchange(prepared_, {})) run_here(index);
}

void UringQueue::flush() {
  while (!broken_ && !prepared_.empty()) submit(0);
}

std::vector<IoCompletion> UringQueue::wait() {
  flush();
  reap();
  while (finished_.empty() && (in_kernel_ > 0 || !prepared_.empty())) {
    if (!broken_) {
      submit(1);
    } else {
      io_uring_cqe* ignored = nullptr;
      const int answer = io_uring_wait_cqe(ring_.get(), &ignored);
      PV_CHECK(answer == 0 || answer == -EINTR);  // Else the buffers would never be ours again.
    }
    reap();
  }
  flush();  // What a short transfer left over goes on while the caller works.
  in_flight_ -= finished_.size();
  return std::exchange(finished_, {});
}

void UringQueue::reap() {
  std::array<io_uring_cqe*, 64> batch{};
  for (;;) {
    const unsigned count =
        in_kernel_ == 0 ? 0 : io_uring_peek_batch_cqe(ring_.get(), batch.data(), batch.size());
    if (count == 0) return;
    for (unsigned i = 0; i < count; ++i) {
      --in_kernel_;
      advance(static_cast<std::size_t>(io_uring_cqe_get_data64(batch[i])), batch[i]->res);
    }
    io_uring_cq_advance(ring_.get(), count);
  }
}

void UringQueue::advance(std::size_t index, int answer) {
  Slot& slot = slots_[index];
  if (answer == -EINTR || answer == -EAGAIN || answer == -ECANCELED) return refused(index);
  if (answer < 0 || (answer == 0 && slot.is_write)) {
    const int number = answer < 0 ? -answer : EIO;
    return finish(index, slot.is_write ? slot.file->poison(number, "write")
                                       : system_error(number, slot.file->path(), "read"));
  }
  slot.done += static_cast<std::size_t>(answer);
  const bool at_end = answer == 0;
  if (at_end || slot.done == slot.size()) return finish(index, slot.done);
  prepare(index);
}

void UringQueue::refused(std::size_t index) {
  if (++slots_[index].refusals > kRefusalsMax) return run_here(index);
  prepare(index);
}

void UringQueue::run_here(std::size_t index) {
  const Slot& slot = slots_[index];
  const std::uint64_t offset = slot.offset + slot.done;
  if (slot.is_write) {
    const Status written = slot.file->write_at(offset, slot.in.subspan(slot.done));
    return finish(index, written ? Result<std::size_t>(slot.in.size()) : written.error());
  }
  auto got = slot.file->read_at(offset, slot.out.subspan(slot.done));
  finish(index, got ? Result<std::size_t>(slot.done + *got) : got);
}

void UringQueue::finish(std::size_t index, Result<std::size_t> bytes) {
  finished_.push_back({slots_[index].tag, std::move(bytes)});
  slots_[index] = {};
  free_.push_back(index);
}

/// A few known bytes in memory that reads like a file.
UniqueFd make_probe_file(ByteView content) {
  UniqueFd fd(::memfd_create("pagevault-probe", MFD_CLOEXEC));
  if (fd && ::pwrite(fd.get(), content.data(), content.size(), 0) !=
                static_cast<ssize_t>(content.size())) {
    return UniqueFd();
  }
  return fd;
}

}  // namespace

int probe_uring() {
  const ByteView expected = as_bytes("pagevault");
  const UniqueFd file = make_probe_file(expected);
  if (!file) return errno;
  Ring ring;
  if (const int answer = ring.make(1); answer < 0) return -answer;
  if (const int answer = ring.enable(); answer < 0) return -answer;
  Bytes got(expected.size());
  io_uring_prep_read(io_uring_get_sqe(ring.get()), file.get(), got.data(),
                     static_cast<unsigned>(got.size()), 0);
  int answer = io_uring_submit_and_wait(ring.get(), 1);
  if (answer < 0) return -answer;
  io_uring_cqe* completion = nullptr;
  answer = io_uring_wait_cqe(ring.get(), &completion);
  if (answer < 0) return -answer;
  answer = completion->res;
  io_uring_cqe_seen(ring.get(), completion);
  if (answer < 0) return -answer;
  return std::equal(got.begin(), got.end(), expected.begin()) ? 0 : EIO;
}

std::unique_ptr<IoQueue> make_uring_queue(unsigned depth) {
  auto queue = std::make_unique<UringQueue>(std::clamp(depth, 1U, kDepthMax));
  if (queue->make() < 0) return nullptr;
  return queue;
}

}  // namespace pagevault
