// How coarse the times of a file are.

#pragma once

#include "pagevault/base/env.h"

namespace pagevault::engine {

/// Time stamps come in steps: of a clock tick (10 ms at most) where they have fractions of a
/// second, of up to 2 s elsewhere (FAT, some NFS servers). A file that changed less than a step
/// before it was looked at may change again without a trace in its times. Nanoseconds, with some to
/// spare.
inline std::int64_t time_step_ns(const FileInfo& info) {
  const bool coarse = info.ctime_ns % 1'000'000'000 == 0;
  return coarse ? 2'000'000'000 : 20'000'000;
}

}  // namespace pagevault::engine
