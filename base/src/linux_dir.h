// The Dir of LinuxEnv: a directory descriptor, and calls relative to it that follow no link.

#pragma once

#include <sys/types.h>

#include <string>

#include "pagevault/base/env.h"
#include "pagevault/base/unique_fd.h"

namespace pagevault {

class LinuxDir final : public Dir {
 public:
  /// `fd` is a directory open for reading.
  LinuxDir(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

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
  const std::string& path() const override { return path_; }

 private:
  std::string path_of(std::string_view name) const;
  Error error(int number, std::string_view name, std::string_view operation) const;
  /// `name` for the kernel, or InvalidArgument unless it is one component.
  Result<std::string> checked(std::string_view name) const;
  /// As `checked`, but "" is the directory itself.
  Result<std::string> checked_or_self(std::string_view name) const;
  /// Raises or lowers what was just created to exactly `permissions`, whatever the umask.
  Status settle_mode(const std::string& name, mode_t permissions) const;
  Status move_by_link(const std::string& from, const std::string& to) const;
  Status remove(std::string_view name, int flags) const;
  /// A path that reaches `name` ("" for the directory) without following it if it is a link.
  std::string proc_path(const std::string& name) const;

  const UniqueFd fd_;
  const std::string path_;
};

}  // namespace pagevault
