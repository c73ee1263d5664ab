// Compiled with -mavx2 -O3 (see CMakeLists.txt).
#include "page_checksum_kernel_body.h"

namespace pagevault::pgsupport {

const PageChecksumKernel kPageChecksumAvx2 = {mix_page};

}  // namespace pagevault::pgsupport
