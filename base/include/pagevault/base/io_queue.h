// Batched asynchronous reads and writes of files: the interface over io_uring, its thread-pool
// fallback and the simulator. All three give the same bytes; only the speed differs (F9.1).

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"

namespace pagevault {

class File;

/// One finished operation. `bytes` < requested only where the file ended (reads).
struct IoCompletion {
  std::uint64_t tag = 0;
  Result<std::size_t> bytes = std::size_t{0};
};

/// Not thread-safe: one per thread. Buffers and files belong to their operation until its
/// completion was returned. Short transfers, EINTR and EAGAIN are continued inside (F1.7). A write
/// that fails poisons its File. Destruction waits for what is in flight.
class IoQueue {
 public:
  virtual ~IoQueue() = default;
  IoQueue(const IoQueue&) = delete;
  IoQueue& operator=(const IoQueue&) = delete;

  /// Announces memory that many operations will use (io_uring: registered buffers). Operations
  /// whose buffer lies inside `arena` are then cheaper. At most once; the arena outlives the queue.
  virtual void register_arena(MutableBytes arena) = 0;

  /// Queues an operation; it may start at once or with the next wait. Precondition: !full().
  virtual void read(File& file, std::uint64_t offset, MutableBytes out, std::uint64_t tag) = 0;
  virtual void write(File& file, std::uint64_t offset, ByteView data, std::uint64_t tag) = 0;
  /// Starts everything queued, in one batch.
  virtual void flush() = 0;
  /// Waits for at least one completion (none when nothing is in flight) and returns all that are
  /// there, in any order.
  virtual std::vector<IoCompletion> wait() = 0;

  virtual std::size_t in_flight() const = 0;
  virtual bool full() const = 0;

 protected:
  IoQueue() = default;
};

}  // namespace pagevault
