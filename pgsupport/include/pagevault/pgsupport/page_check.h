// Pages of relation files and their checksums.
// Source: PostgreSQL, src/include/storage/bufpage.h, src/include/storage/checksum_impl.h.

#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "pagevault/base/bytes.h"
#include "pagevault/pgsupport/lsn.h"

namespace pagevault::pgsupport {

/// The LSN of the last change to a page (at least 24 bytes; checked).
Lsn page_lsn(ByteView page);

/// The checksum that the page should have as block `block` of its fork; never 0. `page`: a multiple
/// of 128 bytes (checked). Takes the fastest kernel this processor runs; all give the same.
std::uint16_t page_checksum(ByteView page, std::uint32_t block);

/// A block whose page does not have the checksum it states.
struct PageMismatch {
  std::uint32_t block = 0;  ///< Of the fork.
  Lsn lsn;                  ///< As the page says; at or after a backup's start it may be torn.
  std::uint16_t stored = 0;
  std::uint16_t computed = 0;  ///< 0: not computed, as no page stores 0 when checksums are on.
};

/// Adds to `out` the blocks of `pages` (whole blocks; the first is `first_block` of the fork) whose
/// checksum is wrong; of more than `out_max` only the first are kept. New pages (pd_upper 0) have
/// none and are skipped. Returns how many were wrong.
std::uint64_t find_mismatches(ByteView pages, std::uint32_t block_bytes, std::uint32_t first_block,
                              std::vector<PageMismatch>& out, std::size_t out_max);

/// The page size that the header of a relation's first page states; nothing when it is new or makes
/// no sense.
std::optional<std::uint32_t> stated_page_bytes(ByteView page);

}  // namespace pagevault::pgsupport
