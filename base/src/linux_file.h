// The File of LinuxEnv, and what the io_uring queue needs of it.

#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string>

#include "linux_direct.h"
#include "linux_residency.h"
#include "pagevault/base/env.h"
#include "pagevault/base/unique_fd.h"

struct stat;

namespace pagevault {

FileInfo file_info_of(const struct stat& status);

class LinuxFile final : public File {
 public:
  /// `fd` is a regular file opened as `mode` says.
  LinuxFile(UniqueFd fd, std::string path, OpenMode mode)
      : fd_(std::move(fd)), path_(std::move(path)), mode_(mode) {}

  Result<std::size_t> read_at(std::uint64_t offset, MutableBytes out) override;
  Status write_at(std::uint64_t offset, ByteView data) override;
  Status write_past_cache(std::uint64_t offset, ByteView data) override;
  Status sync() override;
  Status truncate(std::uint64_t size) override;
  Status punch_hole(ByteRange range) override;
  Status preallocate(ByteRange range) override;
  Result<FileInfo> info() override;
  Result<bool> is_locked(ByteRange range) override;
  Result<std::vector<ByteRange>> data_ranges() override;
  void drop_cache(ByteRange range) override;
  void start_writeback(ByteRange range) override;
  Status close() override;
  const std::string& path() const override { return path_; }

  /// For the io_uring queue: the descriptor, the error that poisoned the file if any, the note that
  /// must precede a read, and the poisoning itself (returns the first error).
  int fd() const { return fd_.get(); }
  Status usable() const;
  void before_read(ByteRange range);
  Error poison(int number, std::string_view operation);

 private:
  Error error(int number, std::string_view operation) const;
  Status write_zeros(ByteRange range);

  UniqueFd fd_;
  const std::string path_;
  const OpenMode mode_;
  CacheResidency residency_;
  DirectWrites direct_;
  std::atomic<bool> poisoned_ = false;  // Set after first_error_, which never changes again.
  mutable std::mutex mutex_;
  std::optional<Error> first_error_;  // Guarded by mutex_.
};

}  // namespace pagevault
