#include "linux_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "linux_errors.h"

namespace pagevault {

namespace {

FileType file_type_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return FileType::Directory;
    case S_IFLNK:
      return FileType::Symlink;
    case S_IFIFO:
      return FileType::Fifo;
    case S_IFSOCK:
      return FileType::Socket;
    case S_IFCHR:
      return FileType::CharDevice;
    case S_IFBLK:
      return FileType::BlockDevice;
    default:
      return FileType::Regular;
  }
}

std::int64_t nanoseconds_of(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

FileInfo file_info_of(const struct stat& status) {
  return {.type = file_type_of(status.st_mode),
          .mode = status.st_mode & 07777U,
          .uid = status.st_uid,
          .gid = status.st_gid,
          .size = static_cast<std::uint64_t>(status.st_size),
          .allocated = static_cast<std::uint64_t>(status.st_blocks) * 512,
          .mtime_ns = nanoseconds_of(status.st_mtim),
          .ctime_ns = nanoseconds_of(status.st_ctim),
          .device = status.st_dev,
          .inode = status.st_ino,
          .links = status.st_nlink,
          .device_major = major(status.st_rdev),
          .device_minor = minor(status.st_rdev)};
}

Error LinuxFile::error(int number, std::string_view operation) const {
  return system_error(number, path_, operation);
}

Error LinuxFile::poison(int number, std::string_view operation) {
  const std::lock_guard lock(mutex_);
  if (!first_error_) first_error_ = error(number, operation);
  poisoned_ = true;
  return *first_error_;
}

Status LinuxFile::usable() const {
  if (!poisoned_) return ok();
  const std::lock_guard lock(mutex_);
  return *first_error_;
}

void LinuxFile::before_read(ByteRange range) {
  // Only what is opened for reading is ever dropped with care; see drop_cache.
  if (mode_ == OpenMode::Read) residency_.before_read(fd(), range);
}

Result<std::size_t> LinuxFile::read_at(std::uint64_t offset, MutableBytes out) {
  PV_TRY(usable());
  before_read({offset, out.size()});
  std::size_t done = 0;
  while (done < out.size()) {
    const MutableBytes rest = out.subspan(done);
    const ssize_t count = uninterrupted(
        [&] { return ::pread(fd(), rest.data(), rest.size(), static_cast<off_t>(offset + done)); });
    if (count < 0) return error(errno, "read");
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

Status LinuxFile::write_at(std::uint64_t offset, ByteView data) {
  PV_TRY(usable());
  while (!data.empty()) {
    const ssize_t count = uninterrupted(
        [&] { return ::pwrite(fd(), data.data(), data.size(), static_cast<off_t>(offset)); });
    if (count <= 0) return poison(count < 0 ? errno : EIO, "write");
    data = data.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return ok();
}

Status LinuxFile::write_past_cache(std::uint64_t offset, ByteView data) {
  PV_TRY(usable());
  while (!data.empty()) {
    const ssize_t count = direct_.write(fd(), offset, data);
    if (count < 0) return poison(errno, "write");
    if (count == 0) return write_at(offset, data);
    data = data.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return ok();
}

Status LinuxFile::sync() {
  PV_TRY(usable());
  // Not repeated on EINTR either: a second sync may succeed although the first lost pages (F2.3).
  if (::fdatasync(fd()) < 0) return poison(errno, "sync");
  return ok();
}

Status LinuxFile::truncate(std::uint64_t size) {
  PV_TRY(usable());
  if (uninterrupted([&] { return ::ftruncate(fd(), static_cast<off_t>(size)); }) < 0) {
    return error(errno, "truncate");
  }
  return ok();
}

Status LinuxFile::punch_hole(ByteRange range) {
  PV_TRY_ASSIGN(const FileInfo file, info());
  if (range.offset >= file.size || range.length == 0) return ok();
  range.length = std::min(range.length, file.size - range.offset);
  const int answer = uninterrupted([&] {
    return ::fallocate(fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                       static_cast<off_t>(range.offset), static_cast<off_t>(range.length));
  });
  if (answer == 0) return ok();
  const bool cannot = errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL;
  return cannot ? write_zeros(range) : Status(poison(errno, "punch hole"));
}

Status LinuxFile::write_zeros(ByteRange range) {
  static constexpr std::array<std::byte, 64 * kKiB> kZeros{};
  while (range.length > 0) {
    const std::uint64_t count = std::min<std::uint64_t>(range.length, kZeros.size());
    PV_TRY(write_at(range.offset, ByteView(kZeros).first(count)));
    range = {range.offset + count, range.length - count};
  }
  return ok();
}

Status LinuxFile::preallocate(ByteRange range) {
  PV_TRY(usable());
  if (range.length == 0) return ok();
  const int answer = uninterrupted([&] {
    return ::fallocate(fd(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(range.offset),
                       static_cast<off_t>(range.length));
  });
  const bool cannot = errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL;
  if (answer < 0 && !cannot) return error(errno, "preallocate");
  return ok();
}

Result<FileInfo> LinuxFile::info() {
  PV_TRY(usable());
  struct stat status {};
  if (::fstat(fd(), &status) < 0) return error(errno, "stat");
  return file_info_of(status);
}

Result<bool> LinuxFile::is_locked(ByteRange range) {
  PV_TRY(usable());
  if (range.length == 0) return false;  // Which to the kernel means "up to the end".
  struct flock lock {};
  lock.l_type = F_WRLCK;  // What any other lock, a shared one too, stands in the way of.
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(range.offset);
  lock.l_len = static_cast<off_t>(range.length);
  // For the handle, not the process: so locks of this process count, too.
  if (uninterrupted([&] { return ::fcntl(fd(), F_OFD_GETLK, &lock); }) < 0) {
    return error(errno, "look for locks");
  }
  return lock.l_type != F_UNLCK;
}

Result<std::vector<ByteRange>> LinuxFile::data_ranges() {
  PV_TRY_ASSIGN(const FileInfo file, info());
  const auto size = static_cast<off_t>(file.size);
  std::vector<ByteRange> ranges;
  off_t end = 0;
  while (end < size) {
    const off_t begin = ::lseek(fd(), end, SEEK_DATA);
    if (begin < 0 && errno == ENXIO) break;  // Only a hole is left.
    if (begin < 0 && errno == EINVAL) return std::vector<ByteRange>{{0, file.size}};
    if (begin < 0) return error(errno, "seek data");
    if (begin >= size) break;  // The file grew meanwhile.
    end = ::lseek(fd(), begin, SEEK_HOLE);
    if (end < 0 && errno == ENXIO) break;  // It shrank meanwhile.
    if (end < 0) return error(errno, "seek hole");
    end = std::min(end, size);
    if (end > begin)
      ranges.push_back(
          {static_cast<std::uint64_t>(begin), static_cast<std::uint64_t>(end - begin)});
  }
  return ranges;
}

void LinuxFile::drop_cache(ByteRange range) {
  switch (mode_) {
    case OpenMode::Read:
      return residency_.drop(fd(), range);
    case OpenMode::CreateExclusive:   // Every cached page is one we wrote.
      if (range.length == 0) return;  // Which to fadvise means "up to the end".
      ::posix_fadvise(fd(), static_cast<off_t>(range.offset), static_cast<off_t>(range.length),
                      POSIX_FADV_DONTNEED);
      return;
    case OpenMode::ReadWrite:  // Somebody else's file as much as ours.
      return;
  }
}

void LinuxFile::start_writeback(ByteRange range) {
  if (range.length == 0) return;  // Which to the kernel means "up to the end".
  ::sync_file_range(fd(), static_cast<off_t>(range.offset), static_cast<off_t>(range.length),
                    SYNC_FILE_RANGE_WRITE);
}

Status LinuxFile::close() {
  Status before = usable();
  const Status direct = direct_.close();
  const Status closed = fd_.close();
  if (!before) return before;
  for (const Status& each : {direct, closed}) {
    if (!each) return each.error().with_context(path_);
  }
  return ok();
}

}  // namespace pagevault
