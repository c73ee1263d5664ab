// Any bytes as the image of a database, with a header that fits so that the trees are walked: each
// page is read once but the first, and the counts agree.

#include <algorithm>
#include <string_view>

#include "pagevault/base/codec.h"
#include "pagevault/sqlitesupport/page_owners.h"

using namespace pagevault;
using namespace pagevault::sqlitesupport;

namespace {

constexpr std::uint32_t kPageSize = 512;

// Keeps what the walk goes by: freelist, auto-vacuum, encoding, reserved bytes.
void make_header(Bytes& image) {
  constexpr std::string_view kMagic("SQLite format 3\0\2\0\1\1", 20);
  std::ranges::copy(as_bytes(kMagic), image.begin());
  image[20] &= std::byte{0x1F};
  image[21] = std::byte{64};
  image[22] = image[23] = std::byte{32};
  std::fill_n(image.begin() + 72, 20, std::byte{0});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size < kPageSize) return 0;
  Bytes image = to_bytes(std::as_bytes(std::span(data, size)));
  make_header(image);
  const auto pages = static_cast<std::uint32_t>(size / kPageSize);
  std::uint32_t reads = 0;
  const auto source = [&](std::uint32_t page) -> Result<ByteView> {
    ++reads;
    return ByteView(image).subspan(std::size_t{page - 1} * kPageSize, kPageSize);
  };
  const auto owners = find_page_owners(source, kPageSize, pages);
  if (!owners) return 0;
  PV_CHECK(reads <= pages + 1);
  std::uint32_t unknown = 0;
  for (std::uint32_t page = 1; page <= pages; ++page) {
    const std::uint32_t owner = owners->owner_of(page);
    PV_CHECK(owner < owners->owners().size());
    if (owners->owners()[owner].type == PageOwnerType::Unknown) ++unknown;
  }
  PV_CHECK(unknown == owners->unknown_pages());
  return 0;
}
