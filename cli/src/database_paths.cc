#include "database_paths.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "pagevault/sqlitesupport/sidecar_files.h"
#include "process_setup.h"
#include "user_paths.h"

namespace pagevault::cli {

namespace {

struct FreeText {
  void operator()(char* text) const { std::free(text); }  // NOLINT(cppcoreguidelines-no-malloc)
};

class Matches {
 public:
  explicit Matches(const std::string& pattern)
      : outcome_(::glob(pattern.c_str(), GLOB_MARK, nullptr, &found_)) {}
  ~Matches() { ::globfree(&found_); }
  Matches(const Matches&) = delete;
  Matches& operator=(const Matches&) = delete;

  std::vector<std::string> paths() const {
    if (outcome_ != 0) return {};
    return {found_.gl_pathv, found_.gl_pathv + found_.gl_pathc};
  }

 private:
  glob_t found_{};
  int outcome_;
};

}  // namespace

bool is_beside_database(std::string_view path) {
  return std::ranges::any_of(sqlitesupport::kSidecarEnds,
                             [&](std::string_view end) { return path.ends_with(end); });
}

Result<std::string> database_path(const std::string& word) {
  if (word.empty()) return Error(ErrorCode::InvalidArgument, "a path is empty");
  const std::string here = working_directory();
  if (here.empty() && !word.starts_with('/')) {
    return Error(ErrorCode::InvalidArgument, word + ": the working directory is gone");
  }
  const std::unique_ptr<char, FreeText> real(::realpath(word.c_str(), nullptr));
  return real ? std::string(real.get()) : absolute_path(here, word);
}

Result<std::vector<std::string>> databases_matching(const std::string& pattern) {
  std::vector<std::string> out;
  for (std::string& path : Matches(pattern).paths()) {
    if (!path.ends_with('/') && !is_beside_database(path)) out.push_back(std::move(path));
  }
  if (out.empty()) {
    return Error(ErrorCode::InvalidArgument, "--glob '" + pattern + "' matches no file");
  }
  return out;
}

const OptionSpecs& database_options() {
  using enum OptionKind;
  static const OptionSpecs kOptions = {
      {"glob", 0, List, "PATTERN",
       "databases that match, looked up each time; quote it: 'tenants/*.db'"},
      {"together", 0, Flag, {}, "all databases as they were at one instant"},
      {"as-file", 0, Flag, {}, "store what is no SQLite database, or an encrypted one, as a file"},
  };
  return kOptions;
}

Result<Databases> databases_of(const Options& options, std::string_view command) {
  Databases out;
  for (const std::string& word : options.words()) {
    PV_TRY_ASSIGN(std::string path, database_path(word));
    out.recorded.push_back(path);
    out.paths.push_back(std::move(path));
  }
  for (const std::string& pattern : options.list("glob")) {
    PV_TRY_ASSIGN(const std::vector<std::string> matches, databases_matching(pattern));
    for (const std::string& match : matches) {
      PV_TRY_ASSIGN(std::string path, database_path(match));
      out.paths.push_back(std::move(path));
    }
    out.recorded.push_back(absolute_path(working_directory(), pattern));
  }
  if (out.paths.empty()) {
    return Error(ErrorCode::InvalidArgument,
                 fmt::format("'{}' wants DATABASE... or --glob PATTERN", command));
  }
  out.paths = distinct_paths(std::move(out.paths));
  out.recorded = distinct_paths(std::move(out.recorded));
  return out;
}

}  // namespace pagevault::cli
