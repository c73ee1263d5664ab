// The sqlite helper under a kernel that refuses it every change of a file. The channel is a socket,
// to which it sends; so write, too, can be refused. The index of a log is memory.

#include <sys/syscall.h>

#include <cerrno>
#include <vector>

#include "deny_syscalls.h"
#include "pagevault/sqlitesupport/helper_program.h"

int main() {
  std::vector<pagevault::DeniedCall> denied = {
      {SYS_writev, EPERM},    {SYS_pwrite64, EPERM}, {SYS_pwritev, EPERM},   {SYS_pwritev2, EPERM},
      {SYS_ftruncate, EPERM}, {SYS_truncate, EPERM}, {SYS_fallocate, EPERM}, {SYS_unlink, EPERM},
      {SYS_unlinkat, EPERM},  {SYS_rename, EPERM},   {SYS_renameat, EPERM},  {SYS_renameat2, EPERM},
      {SYS_link, EPERM},      {SYS_linkat, EPERM},   {SYS_mkdir, EPERM},     {SYS_mkdirat, EPERM},
      {SYS_chmod, EPERM},     {SYS_fchmod, EPERM},   {SYS_fchown, EPERM},    {SYS_utimensat, EPERM},
      {SYS_fsync, EPERM},     {SYS_fdatasync, EPERM}};
#if !defined(__SANITIZE_ADDRESS__)  // Sanitizers write to pipes of their own.
  denied.push_back({SYS_write, EPERM});
#endif
  if (!pagevault::deny_syscalls(denied)) return 3;
  return pagevault::sqlitesupport::run_sqlite_helper(0, 1);
}
