// Paths and places as users type them. Text only: nothing here looks at a file system.

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pagevault::cli {

/// `path` made absolute below `working_directory` and lexically normal: no ".", "..", or double
/// slash.
std::string absolute_path(std::string_view working_directory, std::string_view path);

/// Absolute paths in order, without repeats and without those below another of the list.
std::vector<std::string> distinct_paths(std::vector<std::string> paths);

/// SNAPSHOT or SNAPSHOT:PATH. A snapshot may be an RFC 3339 time, whose colons do not separate.
struct SnapshotPlace {
  std::string snapshot;
  std::string path;  ///< Empty: all.
};
SnapshotPlace parse_snapshot_place(std::string_view text);

/// Folder and last component of a path to a file: "a/b" -> {"a", "b"}, "b" -> {".", "b"}.
struct FilePlace {
  std::string folder;
  std::string name;
};
FilePlace split_file_path(std::string_view path);

/// A shell pattern with '/' is matched against the whole path (leading '/' included; `*` crosses
/// folders), one without against the last component.
struct PatternOptions {
  bool ignore_case = false;
};
bool path_matches(const std::string& pattern, const std::string& path, PatternOptions options = {});

/// Lines of a file of patterns: without line ends, blank lines and lines that begin with '#'.
std::vector<std::string> pattern_lines(std::string_view text);

}  // namespace pagevault::cli
