// The IoQueue for kernels that forbid io_uring: a few threads with pread and pwrite.

#pragma once

#include <memory>

#include "pagevault/base/io_queue.h"

namespace pagevault {

/// Works on any File. `depth` 0 is taken as 1.
std::unique_ptr<IoQueue> make_threaded_queue(unsigned depth);

}  // namespace pagevault
