// The inner loop of page checksums, once for each kind of processor. All give the same.

#pragma once

#include <cstdint>

#include "pagevault/base/bytes.h"

namespace pagevault::pgsupport {

/// A page is rows of 32 little-endian words, one for each lane.
inline constexpr std::size_t kPageChecksumRowBytes = 128;

struct PageChecksumKernel {
  /// The 32 lanes of `page` (whole rows, at least one), folded into one word; its checksum field
  /// counts as zero.
  std::uint32_t (*mix)(ByteView page);
};

extern const PageChecksumKernel kPageChecksumBaseline;
/// Only to be called where the processor has AVX2.
extern const PageChecksumKernel kPageChecksumAvx2;

const PageChecksumKernel& fastest_page_checksum_kernel();

}  // namespace pagevault::pgsupport
