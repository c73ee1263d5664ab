// run_denied PROGRAM [ARGUMENT...]: runs a program under a kernel that refuses everything LinuxEnv
// has a fallback for: io_uring and openat2 as container runtimes refuse them, cachestat as kernels
// before 6.5, exclusive rename as NFS.

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "deny_syscalls.h"

int main(int count, char** arguments) {
  constexpr long kCachestatCall = 451;  // Not in Debian 12's headers.
  if (count < 2) return 2;
  if (!pagevault::deny_syscalls({{SYS_io_uring_setup, EPERM},
                                 {SYS_openat2, EPERM},
                                 {kCachestatCall, ENOSYS},
                                 {SYS_fallocate, EOPNOTSUPP},
                                 {SYS_renameat2, EINVAL}})) {
    std::perror("run_denied: seccomp");
    return 2;
  }
  ::execv(arguments[1], arguments + 1);
  std::perror("run_denied: exec");
  return 2;
}
