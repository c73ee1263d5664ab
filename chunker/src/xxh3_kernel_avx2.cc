#include "xxh3_kernel_body.h"

namespace pagevault::chunker {

const Xxh3Kernel kXxh3Avx2 = {"avx2", hash64, hash128};

}  // namespace pagevault::chunker
