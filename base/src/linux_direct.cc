#include "linux_direct.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "linux_errors.h"
#include "pagevault/base/env.h"

namespace pagevault {

namespace {

bool is_aligned(std::uintptr_t number) { return number % kDirectAlignment == 0; }

// Btrfs would neither compress such writes nor save the copy: it checksums what it has copied.
bool profits(int fd) {
  struct statfs system {};
  return ::fstatfs(fd, &system) == 0 && system.f_type != BTRFS_SUPER_MAGIC;
}

}  // namespace

// The file's own descriptor once more, by the name the kernel gives it: the file may have no other.
int DirectWrites::descriptor(int fd) {
  std::call_once(opened_, [&] {
    if (!profits(fd)) return;
    const std::string name = fmt::format("/proc/self/fd/{}", fd);
    direct_ = UniqueFd(::open(name.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC));
  });
  return direct_.get();
}

ssize_t DirectWrites::write(int fd, std::uint64_t offset, ByteView data) {
  const bool aligned = is_aligned(reinterpret_cast<std::uintptr_t>(  // NOLINT: its alignment only.
                           data.data())) &&
                       is_aligned(offset) && is_aligned(data.size());
  if (!aligned || refused_.load(std::memory_order_relaxed)) return 0;
  const int direct = descriptor(fd);
  if (direct < 0) return 0;
  const ssize_t count = uninterrupted(
      [&] { return ::pwrite(direct, data.data(), data.size(), static_cast<off_t>(offset)); });
  if (count >= 0 || errno != EINVAL) return count;
  refused_.store(true, std::memory_order_relaxed);  // A file system with larger blocks, say.
  return 0;
}

}  // namespace pagevault
