// How far long work has come: a line on the terminal, or status documents with --json.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "console.h"
#include "pagevault/base/env.h"

namespace pagevault::cli {

struct Progress {
  std::string_view unit = "files";  ///< Of `items`.
  std::uint64_t items = 0;
  std::optional<std::uint64_t> bytes = {};
  std::uint64_t done = 0;   ///< Of `total`, for the share and the remaining time.
  std::uint64_t total = 0;  ///< 0: not known.
  std::string_view current = {};
};

/// "[0:12] 45.0 %  12 files, 1.2 GiB, 210.3 MiB/s, 0:15 left  .../name", at most `columns` wide.
std::string progress_text(const Progress& progress, std::int64_t elapsed_ns, std::size_t columns);

class ProgressLine {
 public:
  ProgressLine(Env& env, Console& console)
      : env_(env), console_(console), begun_ns_(env.monotonic_ns()) {}
  ~ProgressLine() { console_.clear_progress(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void update(const Progress& progress);
  std::int64_t elapsed_ns() const { return env_.monotonic_ns() - begun_ns_; }

 private:
  void print_status(const Progress& progress);

  Env& env_;
  Console& console_;
  std::int64_t begun_ns_;
  std::int64_t printed_ns_ = 0;  // Elapsed time at the last status document.
};

}  // namespace pagevault::cli
