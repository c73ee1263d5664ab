// The helper process: a second run of our own program in which SQLite works. Raw reads of a
// database never share a process with an open connection to it (F8.11), and what a hostile database
// does to SQLite does not happen where the keys are (S18).

#pragma once

#include <string>

namespace pagevault::sqlitesupport {

/// The program's main gives way to run_sqlite_helper(0, 1) when this is its only argument.
inline constexpr char kSqliteHelperArgument[] = "--sqlite-helper";

/// What is started.
struct HelperProgram {
  std::string path = "/proc/self/exe";  ///< The running program, also when its file was replaced.
};

/// The helper's main: answers requests on `in_fd` at `out_fd` until the other end closes, which
/// ends all its transactions; returns the exit code. No core dumps, no new privileges; signals that
/// a terminal or a service manager sends to a whole group are ignored: the starter ends the helper.
int run_sqlite_helper(int in_fd, int out_fd);

}  // namespace pagevault::sqlitesupport
