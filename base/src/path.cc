#include "pagevault/base/path.h"

namespace pagevault {

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (!part.empty() && part != ".") parts.emplace_back(part);
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return parts;
}

std::string join_path(std::string_view parent, std::string_view name) {
  std::string out(parent);
  if (!out.empty() && out.back() != '/') out += '/';
  out += name;
  return out;
}

namespace {

// The longest prefix of `path` that ends before its last component; "/" or "." at the top.
std::string parent_of(const std::string& path) {
  const std::size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return "/";
  const std::size_t slash = path.rfind('/', end);
  if (slash == std::string::npos) return ".";
  const std::size_t last = path.find_last_not_of('/', slash);
  return last == std::string::npos ? "/" : path.substr(0, last + 1);
}

std::string name_of(const std::string& path) {
  const auto parts = split_path(path);
  return parts.empty() ? std::string() : parts.back();
}

}  // namespace

Result<std::unique_ptr<Dir>> make_dirs(Env& env, const std::string& path,
                                       const MetadataChange& of_new) {
  if (path.empty()) return Error(ErrorCode::InvalidArgument, "empty path");
  // Walk up to the first folder that exists, then make the missing ones on the way down.
  std::vector<std::string> missing;
  std::string at = path;
  auto opened = env.open_dir(at);
  while (!opened && opened.error().code() == ErrorCode::NotFound) {
    const std::string parent = parent_of(at);
    if (parent == at) break;
    missing.push_back(name_of(at));
    at = parent;
    opened = env.open_dir(at);
  }
  if (!opened) return opened.error();
  std::unique_ptr<Dir> dir = std::move(opened).value();
  for (auto name = missing.rbegin(); name != missing.rend(); ++name) {
    const Status made = dir->make_dir(*name);
    // Somebody else may have made it meanwhile; opening it tells.
    if (!made && made.error().code() != ErrorCode::AlreadyExists) return made.error();
    if (made) dir->set_metadata(*name, of_new).ignore("as far as it can be set");
    PV_TRY_ASSIGN(dir, dir->open_dir(*name));
  }
  return dir;
}

}  // namespace pagevault
