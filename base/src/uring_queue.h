// The IoQueue over io_uring. Works on LinuxFile only.

#pragma once

#include <memory>

#include "pagevault/base/io_queue.h"

namespace pagevault {

/// 0 when a real read through a ring gives the right bytes, else the errno of what failed first
/// (EPERM under Docker's seccomp profile, ENOSYS on old kernels, ENOMEM under a memory limit).
int probe_uring();

/// Null when no ring can be had now (memory, descriptors): take the threaded queue. `depth` 0 is
/// taken as 1. The queue belongs to the thread that starts its first operation; it may be made,
/// and its arena registered, in another.
std::unique_ptr<IoQueue> make_uring_queue(unsigned depth);

}  // namespace pagevault
