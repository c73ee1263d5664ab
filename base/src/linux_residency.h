// Which parts of a file were in the page cache before we read them, so that a backup can drop what
// it brought in and leave the database's own hot pages alone.
//
// Problem: after our read every page is cached; asking must come before, and the kernel's readahead
// fills the cache ahead of a sequential reader, so that asking read by read finds our own pages.
// Choice: ask for a group of 64 windows of 1 MiB when a read first touches the group *or the one
// before it*. Readahead (a few MiB at most) never reaches that far. Reads of less than a window are
// few and far between, each with little readahead: they ask for their windows and the next only, as
// a hundred of them in a large file would otherwise ask for all of it.
//
// Invariants: (1) only windows without a single cached page when asked are ever dropped; (2) a
// window nobody asked about is never dropped; (3) whatever cannot be found out counts as cached.
// Pages that another process brings in between asking and dropping are dropped too: it costs that
// process one read.
//
// The question is cachestat(2) (Linux 6.5), else mincore(2) over a mapping that is never touched.
// A one-byte preadv2(RWF_NOWAIT) would be cheaper but starts readahead itself on some kernels.

#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "pagevault/base/env.h"

namespace pagevault {

/// Of one open file. Thread-safe.
class CacheResidency {
 public:
  /// Must be called before the range is read.
  void before_read(int fd, ByteRange range);
  /// Drops what of `range` was found uncached by before_read.
  void drop(int fd, ByteRange range);

 private:
  using Mask = std::uint64_t;  // Bit w: window w of the group.
  struct Group {
    Mask asked = 0;
    Mask cold = 0;  // Had no cached page when asked.
  };

  void ask(int fd, ByteRange windows);
  Mask cold_windows(int fd, std::uint64_t group, Mask wanted);
  bool was_cold(std::uint64_t window) const;

  std::mutex mutex_;  // Guards all below.
  bool size_known_ = false;
  std::uint64_t size_ = 0;  // When first read; later growth is never dropped.
  bool cachestat_works_ = true;
  std::unordered_map<std::uint64_t, Group> groups_;
};

}  // namespace pagevault
