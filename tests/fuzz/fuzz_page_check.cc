// Any bytes as pages: their checksums are the same with every kernel, and pages that are given the
// checksum they should have are no longer found to be wrong.

#include "page_checksum_kernel.h"
#include "pagevault/base/codec.h"
#include "pagevault/base/result.h"
#include "pagevault/pgsupport/page_check.h"

using namespace pagevault;
using namespace pagevault::pgsupport;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  constexpr std::uint32_t kBlockBytes = 1024;
  Bytes pages = to_bytes(std::as_bytes(std::span(data, size)));
  static_cast<void>(stated_page_bytes(pages));
  const std::uint32_t first = size < 4 ? 0 : load_le32(pages);
  std::vector<PageMismatch> found;
  const std::uint64_t wrong = find_mismatches(pages, kBlockBytes, first, found, 2);
  PV_CHECK(wrong <= size / kBlockBytes && found.size() == std::min<std::uint64_t>(wrong, 2));
  for (std::uint32_t i = 0; i < size / kBlockBytes; ++i) {
    const MutableBytes page =
        MutableBytes(pages).subspan(std::size_t{i} * kBlockBytes, kBlockBytes);
    PV_CHECK(kPageChecksumBaseline.mix(page) == fastest_page_checksum_kernel().mix(page));
    store_le16(page.subspan(8), page_checksum(page, first + i));
  }
  PV_CHECK(find_mismatches(pages, kBlockBytes, first, found, 2) == 0);
  return 0;
}
