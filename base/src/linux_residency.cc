#include "linux_residency.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <vector>

namespace pagevault {

namespace {

constexpr std::uint64_t kWindowBytes = kMiB;
constexpr std::uint64_t kWindowsPerGroup = 64;
constexpr std::uint64_t kGroupBytes = kWindowsPerGroup * kWindowBytes;

// From linux/mman.h of Linux 6.5; Debian 12 has older headers. One number on all architectures.
constexpr long kCachestatCall = 451;
struct CachestatRange {
  std::uint64_t offset;
  std::uint64_t length;
};
struct CachestatAnswer {
  std::uint64_t cached, dirty, writeback, evicted, recently_evicted;
};

/// Pages of the range in the cache, or nothing when the kernel does not say.
std::optional<std::uint64_t> pages_cached(int fd, CachestatRange range) {
  CachestatAnswer answer{};
  if (::syscall(kCachestatCall, fd, &range, &answer, 0) < 0) return std::nullopt;
  return answer.cached;
}

/// Bits of the windows without a cached page, by mincore.
std::uint64_t cold_windows_by_mincore(int fd, std::uint64_t offset, std::uint64_t length) {
  static const auto kPageBytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  void* map = ::mmap(nullptr, length, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(offset));
  if (map == MAP_FAILED) return 0;
  std::vector<unsigned char> cached((length + kPageBytes - 1) / kPageBytes, 1);
  if (::mincore(map, length, cached.data()) < 0) std::fill(cached.begin(), cached.end(), 1);
  ::munmap(map, length);
  std::uint64_t cold = ~std::uint64_t{0};
  for (std::uint64_t page = 0; page < cached.size(); ++page) {
    if ((cached[page] & 1) != 0) cold &= ~(std::uint64_t{1} << (page * kPageBytes / kWindowBytes));
  }
  return cold;
}

}  // namespace

CacheResidency::Mask CacheResidency::cold_windows(int fd, std::uint64_t group, Mask wanted) {
  const std::uint64_t begin = group * kGroupBytes;
  const std::uint64_t end = std::min(begin + kGroupBytes, size_);
  Mask cold = 0;
  for (std::uint64_t w = 0; cachestat_works_ && begin + w * kWindowBytes < end; ++w) {
    if (((wanted >> w) & 1) == 0) continue;
    const std::uint64_t offset = begin + w * kWindowBytes;
    const auto pages = pages_cached(fd, {offset, std::min(kWindowBytes, end - offset)});
    cachestat_works_ = pages.has_value();
    if (pages == 0U) cold |= Mask{1} << w;
  }
  if (cachestat_works_) return cold;
  const auto first = static_cast<unsigned>(std::countr_zero(wanted));
  const auto behind = static_cast<unsigned>(std::bit_width(wanted));
  const std::uint64_t from = begin + first * kWindowBytes;
  const std::uint64_t to = std::min(begin + behind * kWindowBytes, end);
  return (cold_windows_by_mincore(fd, from, to - from) << first) & wanted;
}

// `windows`: from the first to behind the last.
void CacheResidency::ask(int fd, ByteRange windows) {
  std::uint64_t window = windows.offset;
  const std::uint64_t end = windows.offset + windows.length;
  while (window < end && window * kWindowBytes < size_) {
    const std::uint64_t number = window / kWindowsPerGroup;
    Mask wanted = 0;
    for (; window < end && window / kWindowsPerGroup == number; ++window) {
      wanted |= Mask{1} << (window % kWindowsPerGroup);
    }
    Group& group = groups_[number];
    wanted &= ~group.asked;
    if (wanted == 0) continue;
    group.cold |= cold_windows(fd, number, wanted);
    group.asked |= wanted;
  }
}

void CacheResidency::before_read(int fd, ByteRange range) {
  const std::lock_guard lock(mutex_);
  if (!size_known_) {
    struct stat status {};
    if (::fstat(fd, &status) == 0) size_ = static_cast<std::uint64_t>(status.st_size);
    size_known_ = true;
  }
  if (range.length == 0 || range.offset >= size_) return;
  const std::uint64_t last = range.offset + std::min(range.length, size_ - range.offset) - 1;
  const bool is_small = range.length < kWindowBytes;
  const std::uint64_t unit = is_small ? 1 : kWindowsPerGroup;
  const std::uint64_t first = range.offset / kWindowBytes / unit * unit;
  ask(fd, {first, (last / kWindowBytes / unit + 2) * unit - first});
}

bool CacheResidency::was_cold(std::uint64_t window) const {
  const auto group = groups_.find(window / kWindowsPerGroup);
  return group != groups_.end() && ((group->second.cold >> (window % kWindowsPerGroup)) & 1) != 0;
}

void CacheResidency::drop(int fd, ByteRange range) {
  const std::lock_guard lock(mutex_);
  if (range.offset >= size_) return;
  const std::uint64_t end = range.offset + std::min(range.length, size_ - range.offset);
  std::uint64_t begin = range.offset;
  while (begin < end) {  // Runs of windows of one kind, cold or not.
    const bool cold = was_cold(begin / kWindowBytes);
    std::uint64_t window = begin / kWindowBytes + 1;
    while (window * kWindowBytes < end && was_cold(window) == cold) ++window;
    const std::uint64_t run_end = std::min(window * kWindowBytes, end);
    if (cold) {
      ::posix_fadvise(fd, static_cast<off_t>(begin), static_cast<off_t>(run_end - begin),
                      POSIX_FADV_DONTNEED);
    }
    begin = run_end;
  }
}

}  // namespace pagevault
