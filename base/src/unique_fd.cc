#include "pagevault/base/unique_fd.h"

#include <unistd.h>

#include <cerrno>

#include "linux_errors.h"

namespace pagevault {

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    close().ignore("the new descriptor takes its place; durable paths close explicitly");
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

UniqueFd::~UniqueFd() { close().ignore("destructor; durable paths close explicitly"); }

Status UniqueFd::close() {
  if (fd_ < 0) return ok();
  // Linux frees the descriptor even when close is interrupted: never a second close.
  if (::close(std::exchange(fd_, -1)) < 0 && errno != EINTR) {
    return Error(error_code_of(errno), "close: " + description_of(errno));
  }
  return ok();
}

}  // namespace pagevault
