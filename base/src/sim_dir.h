// A directory of the simulator, opened.

#pragma once

#include <memory>
#include <string>

#include "sim_machine.h"

namespace pagevault::sim {

class SimDir final : public Dir {
 public:
  SimDir(Machine& machine, InodeNumber number, std::string path)
      : handle_(machine, number, std::move(path)) {}

  Result<std::unique_ptr<Dir>> open_dir(std::string_view name) override;
  Result<std::unique_ptr<File>> open_file(std::string_view name, OpenMode mode) override;
  Result<std::vector<DirEntry>> list() override;
  Result<FileInfo> stat(std::string_view name) override;
  Result<FileInfo> info() override;
  Result<std::string> read_link(std::string_view name) override;
  Status make_dir(std::string_view name) override;
  Status make_symlink(std::string_view name, std::string_view target) override;
  Status make_hard_link(Dir& from, std::string_view from_name, std::string_view name) override;
  Status make_node(std::string_view name, const FileInfo& what) override;
  Status remove_file(std::string_view name) override;
  Status remove_dir(std::string_view name) override;
  Status rename_no_replace(std::string_view from, std::string_view to) override;
  Status rename_replace(std::string_view from, std::string_view to) override;
  Status sync() override;
  Status sync_file_system() override;
  Status set_metadata(std::string_view name, const MetadataChange& change) override;
  Result<std::vector<Xattr>> xattrs(std::string_view name) override;
  Status set_xattr(std::string_view name, const Xattr& xattr) override;
  Status remove_xattr(std::string_view name, const std::string& xattr_name) override;
  Result<std::uint64_t> free_space() override;
  const std::string& path() const override { return handle_.path(); }

 private:
  Status check_name(std::string_view operation, std::string_view name) const;
  /// Begins a call about an existing name and finds it.
  Result<InodeNumber> begin_read(std::string_view operation, std::string_view name) const;
  /// Begins a change of an existing name and finds it.
  Result<InodeNumber> begin_change(std::string_view operation, std::string_view name) const;
  /// Begins a change that makes `name`, which must be free.
  Status begin_create(std::string_view operation, std::string_view name) const;
  Result<InodeNumber> find(std::string_view operation, std::string_view name) const;
  Status check_allowed(std::string_view operation, std::string_view name, InodeNumber number) const;
  /// Adds the inode under `name`, after begin_create; fails only as finish does.
  Result<InodeNumber> create(std::string_view operation, std::string_view name, Inode inode);
  Result<std::unique_ptr<File>> create_file(std::string_view name);
  Status remove(std::string_view operation, std::string_view name, InodeNumber number);
  Status rename(std::string_view from, std::string_view to);

  const Inode& at(InodeNumber number) const { return handle_.disk().at(number); }
  Error error(ErrorCode code, std::string_view operation, std::string_view name,
              std::string_view text) const {
    return handle_.error(code, operation, name, text);
  }

  Handle handle_;
};

}  // namespace pagevault::sim
