#include "user_paths.h"

#include <fnmatch.h>

#include <algorithm>
#include <cctype>

namespace pagevault::cli {
namespace {

bool is_below(const std::string& path, const std::string& folder) {
  if (folder == "/") return path != "/";
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

bool looks_like_a_time(std::string_view text) {
  constexpr std::string_view kShape = "dddd-dd-dd";
  if (text.size() < kShape.size()) return false;
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    const bool digit = std::isdigit(static_cast<unsigned char>(text[i])) != 0;
    if (kShape[i] == 'd' ? !digit : text[i] != kShape[i]) return false;
  }
  return true;
}

}  // namespace

std::string absolute_path(std::string_view working_directory, std::string_view path) {
  const std::string joined = path.starts_with('/')
                                 ? std::string(path)
                                 : std::string(working_directory) + "/" + std::string(path);
  std::vector<std::string_view> parts;
  for (std::string_view rest = joined; !rest.empty();) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const std::string_view part = rest.substr(0, end);
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  std::string out;
  for (const std::string_view part : parts) out.append("/").append(part);
  return out.empty() ? "/" : out;
}

std::vector<std::string> distinct_paths(std::vector<std::string> paths) {
  std::vector<std::string> out;
  for (const std::string& path : paths) {
    const bool covered =
        std::ranges::any_of(paths, [&](const std::string& p) { return is_below(path, p); });
    if (!covered && std::ranges::find(out, path) == out.end()) out.push_back(path);
  }
  return out;
}

SnapshotPlace parse_snapshot_place(std::string_view text) {
  std::size_t colon = text.find(":/");
  if (colon == std::string_view::npos && !looks_like_a_time(text)) colon = text.find(':');
  if (colon == std::string_view::npos) return {std::string(text), {}};
  return {std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

FilePlace split_file_path(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {".", std::string(path)};
  return {slash == 0 ? "/" : std::string(path.substr(0, slash)),
          std::string(path.substr(slash + 1))};
}

bool path_matches(const std::string& pattern, const std::string& path, PatternOptions options) {
  const bool whole = pattern.find('/') != std::string::npos;
  const std::string subject = whole ? path : path.substr(path.rfind('/') + 1);
  return fnmatch(pattern.c_str(), subject.c_str(), options.ignore_case ? FNM_CASEFOLD : 0) == 0;
}

std::vector<std::string> pattern_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool blank = line.find_first_not_of(" \t") == std::string_view::npos;
    if (!blank && !line.starts_with('#')) lines.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace pagevault::cli
