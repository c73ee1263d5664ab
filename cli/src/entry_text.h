// Files of a snapshot and snapshots themselves, as lines and as JSON.

#pragma once

#include <string>

#include "console.h"
#include "pagevault/repo/directory_entry.h"
#include "pagevault/repo/repository.h"

namespace pagevault::cli {

/// "file", "dir", "symlink", "fifo", "socket", "chardev", "dev": restic's words.
std::string_view type_name(FileType type);

/// "-rw-r--r--".
std::string mode_text(const FileInfo& info);

/// Escaped; with a '/' in front.
std::string display_path(const std::string& path);

/// One line of `ls -l`.
std::string long_entry_text(const std::string& path, const repo::Entry& entry);
Json entry_json(const std::string& path, const repo::Entry& entry);

std::string_view kind_name(repo::SnapshotKind kind);
Json snapshot_json(const repo::StoredSnapshot& stored);

}  // namespace pagevault::cli
