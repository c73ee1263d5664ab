// XXH3 with a secret, compiled once per instruction set and chosen at run time.
//
// The kernels' translation units are built with -mavx2 or -mavx512f. They include nothing but
// xxhash.h and this: an inline function of the standard library emitted there could be the copy the
// linker keeps for the whole program, and crash on an older CPU. Hence raw pointers here, and only
// here.

#pragma once

#include <stddef.h>
#include <stdint.h>

namespace pagevault::chunker {

struct Xxh3Hash128 {
  uint64_t high;
  uint64_t low;
};

/// One implementation. `secret` is 192 bytes. All kernels give the same results.
struct Xxh3Kernel {
  const char* name;
  uint64_t (*hash64)(const void* data, size_t size, const void* secret);
  Xxh3Hash128 (*hash128)(const void* data, size_t size, const void* secret);
};

inline constexpr size_t kXxh3SecretBytes = 192;

extern const Xxh3Kernel kXxh3Baseline;
#ifdef PAGEVAULT_XXH3_X86
extern const Xxh3Kernel kXxh3Avx2;
extern const Xxh3Kernel kXxh3Avx512;
#endif

/// The n-th kernel this CPU can run, fastest first; null from the end on. There is at least one.
const Xxh3Kernel* xxh3_kernel(size_t n);

}  // namespace pagevault::chunker
