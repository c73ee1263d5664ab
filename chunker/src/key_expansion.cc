#include "key_expansion.h"

#include <sodium.h>

#include "pagevault/base/codec.h"

namespace pagevault::chunker {
namespace {

constexpr std::size_t kBlockBytes = crypto_generichash_BYTES_MAX;
static_assert(kBlockBytes == 64);

// libsodium speaks unsigned char; std::byte may alias it.
const unsigned char* uchars(ByteView bytes) {
  return static_cast<const unsigned char*>(static_cast<const void*>(bytes.data()));
}

}  // namespace

SecretBytes expand_cut_key(const CutKey& key, std::string_view label, std::size_t size) {
  PV_CHECK(size % kBlockBytes == 0);
  SecretBytes out(size);
  Bytes message = to_bytes(as_bytes(label));
  message.resize(label.size() + 4);
  const MutableBytes counter = MutableBytes(message).subspan(label.size());
  for (std::size_t i = 0; i < size / kBlockBytes; ++i) {
    store_le32(counter, static_cast<std::uint32_t>(i));
    void* block = out.expose_mutable().subspan(i * kBlockBytes, kBlockBytes).data();
    PV_CHECK(crypto_generichash(static_cast<unsigned char*>(block), kBlockBytes, uchars(message),
                                message.size(), uchars(key.expose()), CutKey::kBytes) == 0);
  }
  return out;
}

}  // namespace pagevault::chunker
