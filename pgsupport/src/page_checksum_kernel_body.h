// Included once by each kernel's source, which is compiled for its processor. Plain arrays: a
// function of the standard library that is not inlined here could be the copy that the linker keeps
// for the whole program, and crash on an older processor.
// Source: PostgreSQL, src/include/storage/checksum_impl.h.

#include <cstring>

#include "page_checksum_kernel.h"

namespace pagevault::pgsupport {
namespace {

// NOLINTBEGIN(misc-definitions-in-headers): this is no header, and each source gets its own.

constexpr std::size_t kLanes = kPageChecksumRowBytes / 4;
constexpr std::uint32_t kPrime = 16777619;

constexpr std::uint32_t kBasis[kLanes] = {
    0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
    0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
    0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
    0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756};

// Words are those of a little-endian machine, as the files we support are. Each is loaded on its
// own, which compilers make loads of whole registers of; a row copied to the stack first was slower
// with AVX2 than without, as its halves are stored one by one.
void step(std::uint32_t* lanes, const std::byte* row) {
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    std::uint32_t word = 0;
    std::memcpy(&word, row + 4 * lane, sizeof word);
    const std::uint32_t mixed = lanes[lane] ^ word;
    lanes[lane] = mixed * kPrime ^ (mixed >> 17);
  }
}

std::uint32_t mix_page(ByteView page) {
  std::uint32_t lanes[kLanes];
  std::memcpy(lanes, kBasis, sizeof lanes);
  std::byte row[kPageChecksumRowBytes];
  std::memcpy(row, page.data(), sizeof row);
  row[8] = row[9] = std::byte{0};  // pd_checksum
  step(lanes, row);
  for (std::size_t at = kPageChecksumRowBytes; at < page.size(); at += kPageChecksumRowBytes) {
    step(lanes, page.data() + at);
  }
  std::memset(row, 0, sizeof row);
  step(lanes, row);
  step(lanes, row);
  std::uint32_t folded = 0;
  for (const std::uint32_t lane : lanes) folded ^= lane;
  return folded;
}

// NOLINTEND(misc-definitions-in-headers)

}  // namespace
}  // namespace pagevault::pgsupport
