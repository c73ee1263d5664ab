// A running helper, seen from its starter.

#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>

#include "helper_message.h"
#include "pagevault/base/unique_fd.h"
#include "pagevault/sqlitesupport/helper_program.h"

namespace pagevault::sqlitesupport {

/// Not thread-safe. Destruction closes the channel, on which the helper ends, and waits for that.
class HelperProcess {
 public:
  /// Nothing of ours goes along but the channel, stderr and, unless it is negative, `file`: no
  /// other descriptor, no environment, no working directory that matters. Errors: Io.
  static Result<std::unique_ptr<HelperProcess>> start(const HelperProgram& program, int file = -1);
  HelperProcess(const HelperProcess&) = delete;
  HelperProcess& operator=(const HelperProcess&) = delete;
  ~HelperProcess();

  Status send(const HelperRequest& request);
  /// The next answer; those of kind Failed become errors. Errors: what the helper answers; Io (it
  /// is dead, or says what no helper says; then every later call answers the same).
  Result<HelperReply> receive();
  Result<HelperReply> ask(const HelperRequest& request);
  /// Closes the channel and does not wait for the helper's end. Nothing is asked afterwards.
  void dismiss();

 private:
  HelperProcess(UniqueFd channel, pid_t pid) : channel_(std::move(channel)), pid_(pid) {}
  Error fail(const std::string& why);
  void reap();

  UniqueFd channel_;
  pid_t pid_;  // -1 once it was waited for.
  std::optional<Error> failure_;
};

}  // namespace pagevault::sqlitesupport
