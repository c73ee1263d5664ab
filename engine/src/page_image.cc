#include "page_image.h"

#include <algorithm>

#include "extent_batch.h"

namespace pagevault::engine {
namespace {

// Overflow pages lead from span to span and back.
constexpr std::uint64_t kSpansKept = 4;
// Short extents count as this, so that few are kept: they are looked through in a row.
constexpr std::uint64_t kExtentWeightMin = 64 * kKiB;

}  // namespace

Result<std::shared_ptr<const Bytes>> ExtentCache::get(const repo::Extent& extent) {
  const Key key{extent.chunk, extent.chunk_offset, extent.length};
  if (const auto* const kept = kept_.find(key)) return *kept;
  PV_TRY(workspace_->cancel().check());
  auto bytes = std::make_shared<Bytes>(extent.length);
  const auto batch = ExtentBatch::fetch(*workspace_, {extent});
  PV_TRY(batch->decode(0, *bytes, /*verify_id=*/false));
  bytes_read_ += extent.length;
  return *kept_.add(key, std::move(bytes), std::max(extent.length, kExtentWeightMin));
}

PageImage::PageImage(Workspace& workspace, ExtentCache& cache, const repo::Entry& file,
                     std::uint32_t page_size)
    : cache_(&cache),
      length_(file.info.size),
      page_size_(page_size),
      map_(workspace.reader(), file.map, file.info.size),
      spans_(kSpansKept),
      buffer_(page_size),
      zeros_(page_size) {
  PV_CHECK(page_size > 0 && repo::kSpanBytes % page_size == 0);
}

std::uint64_t PageImage::page_count() const {
  return length_ / page_size_ + (length_ % page_size_ == 0 ? 0 : 1);
}

Result<const PageImage::Span*> PageImage::span(std::uint64_t number) {
  if (const Span* const kept = spans_.find(number)) return kept;
  Span span;
  PV_TRY_ASSIGN(span.extents, map_.span(number));
  std::uint64_t end = 0;
  for (const repo::Extent& extent : span.extents) span.ends.push_back(end += extent.length);
  return spans_.add(number, std::move(span), 1);
}

Result<ByteView> PageImage::piece(const repo::Extent& extent, std::uint64_t offset,
                                  std::uint64_t length) {
  if (extent.hole) return ByteView(zeros_).first(length);
  PV_TRY_ASSIGN(held_, cache_->get(extent));
  return ByteView(*held_).subspan(offset, length);
}

Result<ByteView> PageImage::page(std::uint64_t number) {
  PV_CHECK(number >= 1 && number <= page_count());
  const std::uint64_t offset = (number - 1) * page_size_;
  PV_TRY_ASSIGN(const Span* const found, span(offset / repo::kSpanBytes));
  const std::uint64_t begin = offset % repo::kSpanBytes;
  const auto wanted = std::min<std::uint64_t>(page_size_, length_ - offset);
  const auto end = std::ranges::upper_bound(found->ends, begin);
  auto at = static_cast<std::size_t>(end - found->ends.begin());
  // Most pages are in one extent, and need no copy.
  for (std::uint64_t done = 0; done < wanted; ++at) {
    const repo::Extent& extent = found->extents[at];
    const std::uint64_t skipped = begin + done - (found->ends[at] - extent.length);
    const std::uint64_t length = std::min(wanted - done, extent.length - skipped);
    PV_TRY_ASSIGN(const ByteView bytes, piece(extent, skipped, length));
    if (length == page_size_) return bytes;
    copy_bytes(bytes, MutableBytes(buffer_).subspan(done));
    done += length;
  }
  std::fill(buffer_.begin() + static_cast<std::ptrdiff_t>(wanted), buffer_.end(), std::byte{0});
  return ByteView(buffer_);
}

}  // namespace pagevault::engine
