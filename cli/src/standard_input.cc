#include "standard_input.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace pagevault::cli {

Result<std::size_t> read_standard_input(MutableBytes out, const CancelToken& cancel) {
  std::size_t filled = 0;
  while (filled < out.size()) {
    PV_TRY(cancel.check());
    const ssize_t got = read(STDIN_FILENO, out.data() + filled, out.size() - filled);
    if (got == 0) break;
    if (got > 0) {
      filled += static_cast<std::size_t>(got);
    } else if (errno != EINTR && errno != EAGAIN) {
      return Error(ErrorCode::Io, std::string("standard input: ") + std::strerror(errno));
    }
  }
  return filled;
}

}  // namespace pagevault::cli
