#include "aes_gcm.h"

#include <openssl/evp.h>

#include <array>
#include <limits>
#include <memory>

#include "pagevault/base/result.h"
#include "pagevault/repo/format.h"
#include "sodium_bytes.h"

namespace pagevault::repo {

namespace {

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }  // Wipes it.
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

// Looked up once; looking it up takes longer than sealing a small blob.
const EVP_CIPHER* aes_256_gcm() {
  static const EVP_CIPHER* const kCipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  PV_CHECK(kCipher != nullptr);
  return kCipher;
}

void must(int outcome) { PV_CHECK(outcome == 1); }

int int_of(std::size_t size) {
  PV_CHECK(size <= std::size_t{std::numeric_limits<int>::max()});
  return static_cast<int>(size);
}

Context begin(ByteView key32, ByteView nonce12, ByteView associated, bool sealing) {
  PV_CHECK(key32.size() == kAesKeyBytes && nonce12.size() == kGcmNonceBytes);
  Context context(EVP_CIPHER_CTX_new());
  PV_CHECK(context != nullptr);
  must(EVP_CipherInit_ex2(context.get(), aes_256_gcm(), sodium_in(key32), sodium_in(nonce12),
                          sealing ? 1 : 0, nullptr));
  int written = 0;
  if (!associated.empty()) {
    must(EVP_CipherUpdate(context.get(), nullptr, &written, sodium_in(associated),
                          int_of(associated.size())));
  }
  return context;
}

void transform(EVP_CIPHER_CTX* context, ByteView in, MutableBytes out) {
  if (in.empty()) return;
  int written = 0;
  must(EVP_CipherUpdate(context, sodium_out(out), &written, sodium_in(in), int_of(in.size())));
  PV_CHECK(written == int_of(in.size()));
}

}  // namespace

void aes_gcm_seal(ByteView key32, ByteView nonce12, ByteView plain, ByteView associated,
                  MutableBytes out) {
  PV_CHECK(out.size() == plain.size() + kTagBytes);
  const Context context = begin(key32, nonce12, associated, /*sealing=*/true);
  transform(context.get(), plain, out);
  int written = 0;
  const MutableBytes tag = out.subspan(plain.size());
  must(EVP_CipherFinal_ex(context.get(), sodium_out(tag), &written));
  must(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, sodium_out(tag)));
}

bool aes_gcm_open(ByteView key32, ByteView nonce12, ByteView sealed, ByteView associated,
                  MutableBytes out) {
  PV_CHECK(sealed.size() >= kTagBytes && out.size() == sealed.size() - kTagBytes);
  // Opening in place writes up to the tag, never over it; the copy is for the call's signature.
  std::array<unsigned char, kTagBytes> tag{};
  std::ranges::copy(sealed.last(kTagBytes),
                    static_cast<std::byte*>(static_cast<void*>(tag.data())));
  const Context context = begin(key32, nonce12, associated, /*sealing=*/false);
  transform(context.get(), sealed.first(out.size()), out);
  must(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag.data()));
  int written = 0;
  std::array<unsigned char, kTagBytes> none{};
  return EVP_CipherFinal_ex(context.get(), none.data(), &written) == 1;
}

}  // namespace pagevault::repo
