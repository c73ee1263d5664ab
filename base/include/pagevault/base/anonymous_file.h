// A file without a name, of this process and those it gives it to: in memory when it is small, else
// unlinked below a folder for temporary files. Its mode is 0600 and it is gone with its last
// descriptor, however the process ends. Past Env, which knows only files that have names.

#pragma once

#include <cstdint>
#include <string>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"
#include "pagevault/base/unique_fd.h"

namespace pagevault {

/// Movable, not thread-safe.
class AnonymousFile {
 public:
  static constexpr std::uint64_t kBytesInMemory = 64 * kMiB;

  /// For `bytes` bytes; `folder` is used when they are more than kBytesInMemory. Errors: NotFound
  /// (no such folder), Io.
  static Result<AnonymousFile> create(std::uint64_t bytes, const std::string& folder);

  /// Errors: NoSpace, Io.
  Status append(ByteView bytes);
  /// Open as long as this lives; never one of 0 to 2.
  int fd() const { return fd_.get(); }

 private:
  explicit AnonymousFile(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace pagevault
