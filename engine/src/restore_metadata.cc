#include "restore_metadata.h"

#include <algorithm>

namespace pagevault::engine {

namespace {

constexpr std::uint32_t kSpecialModeBits = 06000;  // setuid, setgid.
constexpr std::string_view kCapabilities = "security.capability";

// What the file system or the system's policy gives to every file is none of ours.
bool is_restorable(const std::string& xattr) {
  return xattr.starts_with("user.") || xattr.starts_with("trusted.") || xattr == kCapabilities ||
         xattr == "system.posix_acl_access";
}

}  // namespace

std::uint64_t remove_other_xattrs(Dir& dir, const std::string& name, const repo::Entry& entry,
                                  SpecialBits special) {
  const auto present = dir.xattrs(name);
  if (!present) return 1;
  const auto is_wanted = [&](const std::string& xattr) {
    if (xattr == kCapabilities && special == SpecialBits::Drop) return false;
    return std::ranges::any_of(entry.xattrs, [&](const Xattr& x) { return x.name == xattr; });
  };
  std::uint64_t left = 0;
  for (const Xattr& xattr : *present) {
    if (!is_restorable(xattr.name) || is_wanted(xattr.name)) continue;
    if (!dir.remove_xattr(name, xattr.name)) ++left;
  }
  return left;
}

// Owner first (it clears special bits), then attributes, mode and times.
std::uint64_t restore_metadata(Dir& dir, const std::string& name, const repo::Entry& entry,
                               SpecialBits special) {
  std::uint64_t skipped = 0;
  const auto note = [&](const Status& status) {
    if (!status) ++skipped;
  };
  const bool drop = special == SpecialBits::Drop;
  note(dir.set_metadata(
      name, {.mode = {}, .uid = entry.info.uid, .gid = entry.info.gid, .mtime_ns = {}}));
  for (const Xattr& xattr : entry.xattrs) {
    if (drop && xattr.name == kCapabilities) {
      ++skipped;
    } else {
      note(dir.set_xattr(name, xattr));
    }
  }
  std::uint32_t mode = entry.info.mode;
  if (drop && entry.info.type == FileType::Regular && (mode & kSpecialModeBits) != 0) {
    mode &= ~kSpecialModeBits;
    ++skipped;
  }
  MetadataChange change{.mode = mode, .uid = {}, .gid = {}, .mtime_ns = entry.info.mtime_ns};
  if (entry.info.type == FileType::Symlink) change.mode.reset();  // Links have none of their own.
  note(dir.set_metadata(name, change));
  return skipped;
}

}  // namespace pagevault::engine
