#include "xxh3_kernel.h"

#include <array>

namespace pagevault::chunker {

const Xxh3Kernel* xxh3_kernel(size_t n) {
  std::array<const Xxh3Kernel*, 3> usable{};
  size_t count = 0;
#ifdef PAGEVAULT_XXH3_X86
  if (__builtin_cpu_supports("avx512f")) usable[count++] = &kXxh3Avx512;
  if (__builtin_cpu_supports("avx2")) usable[count++] = &kXxh3Avx2;
#endif
  usable[count++] = &kXxh3Baseline;
  return n < count ? usable[n] : nullptr;
}

}  // namespace pagevault::chunker
