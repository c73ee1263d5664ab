// A file of a MemoryDisk as a File of base/env.h, to read it as a backup does: not through SQLite.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pagevault/base/env.h"
#include "sqlite_vfs/memory_disk.h"

namespace pagevault::testing {

/// Read-only: whatever would change it answers Unsupported.
class RawFile final : public File {
 public:
  /// `between` is called before each piece of a read; it says how many bytes may be taken at once.
  /// A kernel that reads while another process writes may mix old and new at any place.
  RawFile(std::shared_ptr<const FileNode> node, std::string path,
          std::function<std::size_t()> between)
      : node_(std::move(node)), path_(std::move(path)), between_(std::move(between)) {}

  Result<std::size_t> read_at(std::uint64_t offset, MutableBytes out) override;
  Status write_at(std::uint64_t, ByteView) override { return refuse(); }
  Status sync() override { return refuse(); }
  Status truncate(std::uint64_t) override { return refuse(); }
  Status punch_hole(ByteRange) override { return refuse(); }
  Status preallocate(ByteRange) override { return refuse(); }
  Result<FileInfo> info() override;
  Result<std::vector<ByteRange>> data_ranges() override;
  /// Whatever the connections hold: nobody asks.
  Result<bool> is_locked(ByteRange) override { return false; }
  void drop_cache(ByteRange) override {}
  void start_writeback(ByteRange) override {}
  Status close() override { return ok(); }
  const std::string& path() const override { return path_; }

 private:
  Status refuse() const { return Error{ErrorCode::Unsupported, path_ + ": read only"}; }

  std::shared_ptr<const FileNode> node_;
  std::string path_;
  std::function<std::size_t()> between_;
};

}  // namespace pagevault::testing
