#include "linux_open.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linux_errors.h"

namespace pagevault {

namespace {

int openat2_beneath(int dir_fd, const char* name, int flags, mode_t mode) {
  open_how how{};
  how.flags = static_cast<__u64>(flags);
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, dir_fd, name, &how, sizeof how));
}

/// Linux before 5.6 says ENOSYS, older container runtimes EPERM. Asked once.
bool openat2_is_allowed() {
  static const bool kAllowed = [] {
    const UniqueFd probe(openat2_beneath(AT_FDCWD, ".", O_PATH | O_CLOEXEC, 0));
    return probe || (errno != ENOSYS && errno != EPERM);
  }();
  return kAllowed;
}

}  // namespace

UniqueFd open_beneath(int dir_fd, const std::string& name, int flags, mode_t mode) {
  flags |= O_CLOEXEC | O_NOFOLLOW | O_NOCTTY;
  const bool openat2 = openat2_is_allowed();
  return UniqueFd(uninterrupted([&] {
    return openat2 ? openat2_beneath(dir_fd, name.c_str(), flags, mode)
                   : ::openat(dir_fd, name.c_str(), flags, mode);
  }));
}

UniqueFd open_beneath_no_atime(int dir_fd, const std::string& name, int flags) {
  UniqueFd fd = open_beneath(dir_fd, name, flags | O_NOATIME);
  if (!fd && errno == EPERM) fd = open_beneath(dir_fd, name, flags);
  return fd;
}

}  // namespace pagevault
