#include "page_checksum_kernel_body.h"

namespace pagevault::pgsupport {

const PageChecksumKernel kPageChecksumBaseline = {mix_page};

}  // namespace pagevault::pgsupport
