#include "pagevault/chunker/gate.h"

#include <utility>

#include "xxh3_kernel.h"

namespace pagevault::chunker {
namespace {

static_assert(GateKey::kBytes == kXxh3SecretBytes);

void store_be64(std::byte* to, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) *to++ = static_cast<std::byte>(value >> shift);
}

}  // namespace

GateKey::GateKey(SecretBytes secret) : secret_(std::move(secret)), kernel_(xxh3_kernel(0)) {
  PV_CHECK(secret_.size() == kBytes);
}

Gate gate_of(const GateKey& key, ByteView bytes) {
  const Xxh3Hash128 hash = key.kernel().hash128(bytes.data(), bytes.size(), key.expose().data());
  Gate gate;
  store_be64(gate.bytes.data(), hash.high);
  store_be64(gate.bytes.data() + 8, hash.low);
  return gate;
}

}  // namespace pagevault::chunker
