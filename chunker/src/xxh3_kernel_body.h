// The body of one kernel. Included once by each xxh3_kernel_*.cc, which names the kernel.

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "xxh3_kernel.h"

namespace pagevault::chunker {
namespace {

// NOLINTBEGIN(misc-definitions-in-headers): this is no header, and each source gets its own.

uint64_t hash64(const void* data, size_t size, const void* secret) {
  return XXH3_64bits_withSecret(data, size, secret, kXxh3SecretBytes);
}

Xxh3Hash128 hash128(const void* data, size_t size, const void* secret) {
  const XXH128_hash_t hash = XXH3_128bits_withSecret(data, size, secret, kXxh3SecretBytes);
  return {hash.high64, hash.low64};
}

// NOLINTEND(misc-definitions-in-headers)

}  // namespace
}  // namespace pagevault::chunker
