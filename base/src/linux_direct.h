// Writes that go past the page cache (O_DIRECT): no copy, no page to find, and nothing left to be
// written when the file is synced. Through a descriptor of its own, so that ordinary writes go on.

#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <mutex>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"
#include "pagevault/base/unique_fd.h"

namespace pagevault {

/// Of one open file. Thread-safe but for close.
class DirectWrites {
 public:
  /// Writes a beginning of `data` at `offset` of the file that `fd` is open on; returns how much:
  /// 0 when memory, place or length are not aligned to kDirectAlignment, or the file system cannot.
  /// -1 with errno on failure.
  ssize_t write(int fd, std::uint64_t offset, ByteView data);
  Status close() { return direct_.close(); }

 private:
  int descriptor(int fd);

  std::once_flag opened_;
  UniqueFd direct_;
  std::atomic<bool> refused_ = false;
};

}  // namespace pagevault
