#include "glob.h"

#include <fnmatch.h>

namespace pagevault::engine {

namespace {

bool matches_path(const std::string& pattern, std::string path) {
  while (true) {
    if (fnmatch(pattern.c_str(), path.c_str(), 0) == 0) return true;
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos || slash == 0) return false;
    path.resize(slash);
  }
}

}  // namespace

bool matches_any(const std::vector<std::string>& patterns, const std::string& path,
                 const std::string& name) {
  for (const std::string& pattern : patterns) {
    const bool whole = pattern.find('/') != std::string::npos;
    if (whole ? matches_path(pattern, path) : fnmatch(pattern.c_str(), name.c_str(), 0) == 0) {
      return true;
    }
  }
  return false;
}

}  // namespace pagevault::engine
