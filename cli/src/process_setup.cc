#include "process_setup.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

namespace pagevault::cli {
namespace {

void forbid_core_dumps() {
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  static_cast<void>(setrlimit(RLIMIT_CORE, &none));
  static_cast<void>(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  static_cast<void>(setrlimit(RLIMIT_NOFILE, &limit));
}

// A descriptor beyond what the table holds makes it grow, and in a process with threads each growth
// waits for all processors: 10 ms until the 256 folders of packs were open. Without threads it
// costs nothing.
void make_room_for_descriptors() {
  constexpr int kRoom = 1023;
  const int high = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, kRoom);
  if (high >= 0) close(high);
}

struct Free {
  void operator()(char* text) const { std::free(text); }  // NOLINT: getcwd's malloc
};

}  // namespace

void set_up_process() {
  forbid_core_dumps();
  umask(077);
  raise_descriptor_limit();
  make_room_for_descriptors();
}

unsigned current_user_id() { return geteuid(); }

std::string working_directory() {
  const std::unique_ptr<char, Free> path(getcwd(nullptr, 0));
  return path ? path.get() : "";
}

}  // namespace pagevault::cli
