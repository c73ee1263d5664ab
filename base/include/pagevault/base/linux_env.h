// The Env of a real machine: Linux system calls, io_uring where the kernel allows it.

#pragma once

#include <cstdint>
#include <memory>

#include "pagevault/base/env.h"

namespace pagevault {

struct LinuxEnvOptions {
  enum class Io : std::uint8_t {
    Auto,        ///< io_uring if a trial read through it works, else the thread pool.
    IoUring,     ///< The same today; for callers that mean it, as tests and benchmarks do.
    ThreadPool,  ///< Never io_uring.
  };
  Io io = Io::Auto;
};

/// Never fails: a kernel that forbids io_uring costs speed only (F9.1), and io_description() says
/// which carrier was chosen and why. Thread-safe; outlives nothing it makes: files, directories,
/// queues and executors may live longer than the Env.
std::unique_ptr<Env> make_linux_env(LinuxEnvOptions options = {});

}  // namespace pagevault
