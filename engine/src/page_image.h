// Single pages of a file in a snapshot, in any order.

#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "pagevault/engine/tree.h"
#include "recently_used.h"

namespace pagevault::engine {

/// Decodes extents and keeps the last used, by what they hold: files that share chunks may share
/// it. Not thread-safe.
class ExtentCache {
 public:
  ExtentCache(Workspace& workspace, std::uint64_t bytes_max)
      : workspace_(&workspace), kept_(bytes_max) {}

  /// Checked against its gate. `extent` is no hole. Errors: as of ExtentBatch::decode; Cancelled.
  Result<std::shared_ptr<const Bytes>> get(const repo::Extent& extent);
  /// Of all that was decoded.
  std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  struct Key {
    ChunkId chunk;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    bool operator==(const Key&) const = default;
  };
  Workspace* workspace_;
  // Shared with the images that have a page of it in use.
  RecentlyUsed<Key, std::shared_ptr<const Bytes>> kept_;
  std::uint64_t bytes_read_ = 0;
};

/// Not thread-safe.
class PageImage {
 public:
  /// `workspace`, `cache` and `file` outlive it. `page_size` is not 0 (checked).
  PageImage(Workspace& workspace, ExtentCache& cache, const repo::Entry& file,
            std::uint32_t page_size);

  /// A page that the file ends in counts whole.
  std::uint64_t page_count() const;
  /// `number` is in 1..page_count() (checked). Zeros behind the end of the file. Stays until the
  /// next call. Errors: as of MapReader and ExtentCache.
  Result<ByteView> page(std::uint64_t number);

 private:
  struct Span {
    repo::SpanNode extents;
    std::vector<std::uint64_t> ends;  // Of extents, in the span.
  };

  Result<const Span*> span(std::uint64_t number);
  Result<ByteView> piece(const repo::Extent& extent, std::uint64_t offset, std::uint64_t length);

  ExtentCache* cache_;
  std::uint64_t length_;
  std::uint32_t page_size_;
  MapReader map_;
  RecentlyUsed<std::uint64_t, Span> spans_;
  std::shared_ptr<const Bytes> held_;  // The page given out last is in it, or in buffer_.
  Bytes buffer_;
  Bytes zeros_;
};

}  // namespace pagevault::engine
