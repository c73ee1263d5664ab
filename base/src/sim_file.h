// A regular file of the simulator, opened.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "sim_machine.h"

namespace pagevault::sim {

enum class Access : std::uint8_t { Read, ReadWrite };

class SimFile final : public File {
 public:
  SimFile(Machine& machine, InodeNumber number, std::string path, Access access)
      : handle_(machine, number, std::move(path)), access_(access) {}

  Result<std::size_t> read_at(std::uint64_t offset, MutableBytes out) override;
  Status write_at(std::uint64_t offset, ByteView data) override;
  Status sync() override;
  Status truncate(std::uint64_t size) override;
  Status punch_hole(ByteRange range) override;
  Status preallocate(ByteRange range) override;
  Result<FileInfo> info() override;
  Result<bool> is_locked(ByteRange range) override;
  Result<std::vector<ByteRange>> data_ranges() override;
  void drop_cache(ByteRange) override {}
  void start_writeback(ByteRange) override {}
  Status close() override;
  const std::string& path() const override { return handle_.path(); }

 private:
  /// The first error for ever, else what the machine says.
  Status begin_read(std::string_view operation) const;
  Status begin_write(std::string_view operation) const;
  Status poison(Status status);
  Status write_what_fits(std::uint64_t offset, ByteView data);

  Handle handle_;
  Access access_;
  bool closed_ = false;
  std::optional<Error> first_error_;
};

}  // namespace pagevault::sim
