// What stat says of files: whether they are there, and whether somebody wrote to them.

#pragma once

#include <optional>
#include <string>

#include "pagevault/base/env.h"

namespace pagevault::engine {

/// Nothing when there is none. Errors: those of Dir::stat but NotFound.
inline Result<std::optional<FileInfo>> stat_if_there(Dir& dir, const std::string& name) {
  auto info = dir.stat(name);
  if (info) return std::optional(std::move(info).value());
  if (info.error().code() == ErrorCode::NotFound) return std::optional<FileInfo>();
  return info.error();
}

/// The same file, and nobody wrote to it, as far as times tell (time_step.h).
inline bool same_metadata(const FileInfo& a, const FileInfo& b) {
  return a.type == b.type && a.size == b.size && a.mtime_ns == b.mtime_ns &&
         a.ctime_ns == b.ctime_ns && a.inode == b.inode;
}

}  // namespace pagevault::engine
