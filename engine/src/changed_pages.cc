#include "changed_pages.h"

#include <algorithm>

#include "differing_ranges.h"

namespace pagevault::engine {

Status visit_changed_pages(Workspace& workspace, const PagedFile& before, const PagedFile& after,
                           std::uint32_t page_size,
                           const std::function<void(std::uint64_t)>& visit) {
  const std::uint64_t in_both = std::min(before.image.page_count(), after.image.page_count());
  std::uint64_t compared = 0;  // Pages that two ranges share are compared once.
  const auto compare = [&](const ByteRange& range) -> Status {
    const std::uint64_t end = (range.offset + range.length - 1) / page_size + 1;
    compared = std::max(compared, range.offset / page_size);
    for (; compared < std::min(end, in_both); ++compared) {
      PV_TRY_ASSIGN(const ByteView left, before.image.page(compared + 1));
      PV_TRY_ASSIGN(const ByteView right, after.image.page(compared + 1));
      if (!equal_bytes(left, right)) visit(compared + 1);
    }
    return ok();
  };
  MapReader left(workspace.reader(), before.entry.map, before.entry.info.size);
  MapReader right(workspace.reader(), after.entry.map, after.entry.info.size);
  return visit_differing_ranges(left, right, compare);
}

}  // namespace pagevault::engine
