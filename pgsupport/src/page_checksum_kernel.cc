#include "page_checksum_kernel.h"

namespace pagevault::pgsupport {

const PageChecksumKernel& fastest_page_checksum_kernel() {
#ifdef PAGEVAULT_PAGE_CHECKSUM_X86
  static const bool kHasAvx2 = __builtin_cpu_supports("avx2") != 0;
  if (kHasAvx2) return kPageChecksumAvx2;
#endif
  return kPageChecksumBaseline;
}

}  // namespace pagevault::pgsupport
