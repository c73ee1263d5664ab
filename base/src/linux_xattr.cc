// Extended attributes of LinuxDir. There is no call that takes a directory descriptor and a name
// before Linux 6.13: the path through /proc/self/fd does the same, as only its last component is
// ours and the l* calls do not follow that one.

#include <sys/xattr.h>

#include <algorithm>

#include "linux_dir.h"
#include "linux_errors.h"

namespace pagevault {

namespace {

/// Calls `get(buffer, size)` with a buffer that grows until the answer fits; the answer, or false
/// with errno. The value may grow between the two calls of a round.
template <class Get>
bool fill(std::string& out, Get get) {
  for (int round = 0; round < 10; ++round) {
    const ssize_t size = get(nullptr, 0);
    if (size < 0) return false;
    out.resize(static_cast<std::size_t>(size));
    if (size == 0) return true;
    const ssize_t got = get(out.data(), out.size());
    if (got < 0 && errno == ERANGE) continue;
    if (got < 0) return false;
    out.resize(static_cast<std::size_t>(got));
    return true;
  }
  errno = ERANGE;
  return false;
}

std::vector<std::string> split_at_nul(const std::string& list) {
  std::vector<std::string> names;
  for (std::size_t begin = 0; begin < list.size();) {
    const std::size_t end = std::min(list.find('\0', begin), list.size());
    names.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

}  // namespace

std::string LinuxDir::proc_path(const std::string& name) const {
  return fmt::format("/proc/self/fd/{}/{}", fd_.get(), name.empty() ? "." : name);
}

Result<std::vector<Xattr>> LinuxDir::xattrs(std::string_view name) {
  PV_TRY_ASSIGN(const std::string entry, checked_or_self(name));
  const std::string path = proc_path(entry);
  std::string list;
  if (!fill(list, [&](char* to, std::size_t n) { return ::llistxattr(path.c_str(), to, n); })) {
    if (errno == EOPNOTSUPP) return std::vector<Xattr>();
    return error(errno, name, "list extended attributes");
  }
  std::vector<Xattr> out;
  for (std::string& key : split_at_nul(list)) {
    std::string value;
    const auto get = [&](char* to, std::size_t n) {
      return ::lgetxattr(path.c_str(), key.c_str(), to, n);
    };
    if (fill(value, get)) {
      out.push_back({std::move(key), std::move(value)});
    } else if (errno != ENODATA && errno != EOPNOTSUPP) {  // Removed meanwhile, or not for us.
      return error(errno, name, fmt::format("read extended attribute {}", key));
    }
  }
  std::sort(out.begin(), out.end(), [](const Xattr& a, const Xattr& b) { return a.name < b.name; });
  return out;
}

Status LinuxDir::set_xattr(std::string_view name, const Xattr& xattr) {
  PV_TRY_ASSIGN(const std::string entry, checked_or_self(name));
  if (::lsetxattr(proc_path(entry).c_str(), xattr.name.c_str(), xattr.value.data(),
                  xattr.value.size(), 0) < 0) {
    return error(errno, name, fmt::format("set extended attribute {}", xattr.name));
  }
  return ok();
}

Status LinuxDir::remove_xattr(std::string_view name, const std::string& xattr_name) {
  PV_TRY_ASSIGN(const std::string entry, checked_or_self(name));
  if (::lremovexattr(proc_path(entry).c_str(), xattr_name.c_str()) < 0 && errno != ENODATA) {
    return error(errno, name, fmt::format("remove extended attribute {}", xattr_name));
  }
  return ok();
}

}  // namespace pagevault
