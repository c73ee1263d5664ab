// Owner of one file descriptor.

#pragma once

#include <utility>

#include "pagevault/base/result.h"

namespace pagevault {

/// Closes its descriptor when it dies. Moves only. Not thread-safe.
class UniqueFd {
 public:
  UniqueFd() = default;
  /// Takes `fd` over; negative means none.
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd();

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  /// Gives the descriptor away: the caller closes it.
  int release() { return std::exchange(fd_, -1); }
  /// Closes and reports what close says; ok when there is none. Afterwards there is none, whatever
  /// was reported. Errors: Io, NoSpace (delayed writes may fail only here).
  Status close();

 private:
  int fd_ = -1;
};

}  // namespace pagevault
