#include "hard_links.h"

#include "database_leftovers.h"
#include "pagevault/base/path.h"

namespace pagevault::engine {

bool HardLinks::is_further_name(const repo::Entry& entry, const RestorePlace& place) {
  if (entry.info.links <= 1) return false;
  const auto [first, is_first] =
      first_names_.emplace(std::pair(entry.info.device, entry.info.inode), place.path);
  if (is_first) return false;
  links_.push_back({first->second, place, is_database_image(entry)});
  return true;
}

Status HardLinks::make(const Link& link, const std::shared_ptr<Dir>& target, const std::string& top,
                       bool replace) const {
  if (failed_.contains(link.first)) {
    return Error(ErrorCode::Io, "not linked: " + link.first + " has not been restored whole");
  }
  auto parts = split_path(std::string_view(link.first).substr(top.size()));
  const std::string name = parts.back();
  parts.pop_back();
  std::shared_ptr<Dir> from = target;
  for (const std::string& part : parts) {
    PV_TRY_ASSIGN(from, from->open_dir(part));
  }
  Dir& dir = *link.place.dir;
  PV_TRY_ASSIGN(const FileInfo folder, dir.info());
  if (replace) {
    dir.remove_file(link.place.name).ignore("usually absent; what cannot be replaced fails below");
  }
  PV_TRY(dir.make_hard_link(*from, name, link.place.name));
  // A new name changes the folder's time, which was set already.
  dir.set_metadata("", {.mode = {}, .uid = {}, .gid = {}, .mtime_ns = folder.mtime_ns})
      .ignore("the folder's time is a nicety");
  return ok();
}

}  // namespace pagevault::engine
