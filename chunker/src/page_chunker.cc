#include "pagevault/chunker/page_chunker.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "key_expansion.h"
#include "xxh3_kernel.h"

namespace pagevault::chunker {
namespace {

constexpr std::uint32_t kPageMin = 512;
constexpr std::uint32_t kPageMax = 65536;

}  // namespace

Result<PageChunker> PageChunker::create(const CutKey& key, ChunkSizes sizes,
                                        std::uint32_t page_size) {
  PV_TRY(check_chunk_sizes(sizes));
  if (!std::has_single_bit(page_size) || page_size < kPageMin || page_size > kPageMax ||
      page_size > sizes.max) {
    return Error(ErrorCode::InvalidArgument,
                 fmt::format("page size {}: not a power of two in {}..{} and at most {}", page_size,
                             kPageMin, kPageMax, sizes.max));
  }
  return PageChunker(expand_cut_key(key, "pagevault page cut v1", kXxh3SecretBytes), sizes,
                     page_size);
}

PageChunker::PageChunker(SecretBytes secret, ChunkSizes sizes, std::uint32_t page_size)
    : secret_(std::move(secret)),
      kernel_(xxh3_kernel(0)),
      sizes_(sizes),
      page_size_(page_size),
      length_max_(sizes.max - sizes.max % page_size),
      loose_from_(sizes.min + std::size_t{sizes.target - sizes.min} * 3 / 4),
      threshold_strict_(UINT64_MAX /
                        std::max<std::uint64_t>(1, std::uint64_t{sizes.target} * 4 / page_size)),
      threshold_loose_(UINT64_MAX / std::max<std::uint64_t>(1, sizes.target / 4 / page_size)) {}

// Length of the zero pages from `from` on, seen up to `limit`; counts a zero rest that ends there.
std::size_t PageChunker::zero_run(ByteView input, std::size_t from, std::size_t limit) const {
  std::size_t at = from;
  while (at < limit) {
    const std::size_t step = std::min<std::size_t>(page_size_, limit - at);
    if (!is_all_zero(input.subspan(at, step))) break;
    at += step;
  }
  return at - from;
}

bool PageChunker::page_ends_chunk(ByteView page, std::size_t length) const {
  if (length < sizes_.min) return false;  // Before hashing: half of all pages stop here.
  const std::uint64_t threshold = length < loose_from_ ? threshold_strict_ : threshold_loose_;
  return kernel_->hash64(page.data(), page.size(), secret_.expose().data()) < threshold;
}

// The numbers are the rules of the header.
std::size_t PageChunker::cut(ByteView input) const {
  const std::size_t end = std::min(input.size(), length_max_);
  std::size_t length = zero_run(input, 0, end);
  if (length >= sizes_.min || length == end) return length;  // 1.

  // Invariant: `length` is whole pages, below length_max_, and the page there is not zero. So less
  // than a page left means that the input ends the stream.
  while (input.size() - length >= page_size_) {
    const ByteView page = input.subspan(length, page_size_);
    length += page_size_;
    if (length == length_max_) return length;  // 3.

    const std::size_t zeros = zero_run(input, length, end);
    if (zeros >= (length >= sizes_.min ? page_size_ : sizes_.min)) return length;  // 2.
    if (zeros > 0) {
      length += zeros;
      if (length == end) return length;
      continue;
    }
    const bool more_pages = input.size() - length >= page_size_;
    if (more_pages && page_ends_chunk(page, length)) return length;  // 4.
  }
  return input.size();
}

}  // namespace pagevault::chunker
