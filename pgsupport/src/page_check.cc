#include "pagevault/pgsupport/page_check.h"

#include <array>
#include <bit>

#include "page_checksum_kernel.h"
#include "pagevault/base/codec.h"
#include "pagevault/base/result.h"

namespace pagevault::pgsupport {

namespace {

constexpr std::size_t kHeaderBytes = 24;
constexpr std::size_t kChecksumAt = 8;
constexpr std::size_t kUpperAt = 14;
constexpr std::size_t kSizeAt = 18;

}  // namespace

Lsn page_lsn(ByteView page) {
  PV_CHECK(page.size() >= kHeaderBytes);
  return {std::uint64_t{load_le32(page)} << 32 | load_le32(page.subspan(4))};
}

std::uint16_t page_checksum(ByteView page, std::uint32_t block) {
  PV_CHECK(!page.empty() && page.size() % kPageChecksumRowBytes == 0);
  const std::uint32_t mixed = fastest_page_checksum_kernel().mix(page) ^ block;
  return static_cast<std::uint16_t>(mixed % 65535 + 1);
}

std::uint64_t find_mismatches(ByteView pages, std::uint32_t block_bytes, std::uint32_t first_block,
                              std::vector<PageMismatch>& out, std::size_t out_max) {
  PV_CHECK(block_bytes >= kHeaderBytes);
  std::uint64_t wrong = 0;
  for (std::uint32_t i = 0; pages.size() >= block_bytes; ++i) {
    const ByteView page = pages.first(block_bytes);
    pages = pages.subspan(block_bytes);
    if (load_le16(page.subspan(kUpperAt)) == 0) continue;
    PageMismatch found{.block = first_block + i, .lsn = page_lsn(page)};
    found.stored = load_le16(page.subspan(kChecksumAt));
    // No page stores 0 when checksums are on; when they are off, all do, and computing is for
    // nothing.
    if (found.stored != 0) found.computed = page_checksum(page, found.block);
    if (found.stored != 0 && found.stored == found.computed) continue;
    ++wrong;
    if (out.size() < out_max) out.push_back(found);
  }
  return wrong;
}

std::optional<std::uint32_t> stated_page_bytes(ByteView page) {
  if (page.size() < kHeaderBytes || load_le16(page.subspan(kUpperAt)) == 0) return std::nullopt;
  const std::uint32_t size = load_le16(page.subspan(kSizeAt)) & 0xFF00U;
  if (!std::has_single_bit(size) || size < 1024 || size > 32768) return std::nullopt;
  return size;
}

}  // namespace pagevault::pgsupport
