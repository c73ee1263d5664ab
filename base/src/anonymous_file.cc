#include "pagevault/base/anonymous_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "linux_errors.h"

namespace pagevault {
namespace {

constexpr unsigned kOwnerOnly = 0600;

// Where the file system cannot make one without a name, its name lives for a moment.
int open_and_unlink(const std::string& folder) {
  std::string name = folder + "/pagevault-XXXXXX";
  const int fd = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd >= 0) ::unlink(name.c_str());
  return fd;
}

int open_unlinked(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, kOwnerOnly);
  const bool cannot = fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL);
  return cannot ? open_and_unlink(folder) : fd;
}

// Standard streams that are closed leave their numbers free.
UniqueFd above_standard_streams(UniqueFd fd) {
  if (!fd || fd.get() > STDERR_FILENO) return fd;
  return UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

}  // namespace

Result<AnonymousFile> AnonymousFile::create(std::uint64_t bytes, const std::string& folder) {
  const bool in_memory = bytes <= kBytesInMemory;
  UniqueFd fd(in_memory ? ::memfd_create("pagevault", MFD_CLOEXEC) : open_unlinked(folder));
  const int problem = errno;
  fd = above_standard_streams(std::move(fd));
  if (!fd) return system_error(problem, in_memory ? "memory" : folder, "temporary file");
  return AnonymousFile(std::move(fd));
}

Status AnonymousFile::append(ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return system_error(count < 0 ? errno : EIO, "temporary file", "write");
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return ok();
}

}  // namespace pagevault
