// Which pages of a file differ between two snapshots.

#pragma once

#include <functional>

#include "page_image.h"

namespace pagevault::engine {

/// A file and its pages.
struct PagedFile {
  const repo::Entry& entry;
  PageImage& image;
};

/// Calls `visit` with the numbers (from 1, ascending) of the pages that both have and whose bytes
/// differ. Both images have pages of `page_size`. Reads only where the maps differ. Errors: as of
/// PageImage and MapReader.
Status visit_changed_pages(Workspace& workspace, const PagedFile& before, const PagedFile& after,
                           std::uint32_t page_size,
                           const std::function<void(std::uint64_t)>& visit);

}  // namespace pagevault::engine
