#include "pagevault/repo/aead.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>

#include "aes_gcm.h"
#include "pagevault/base/codec.h"
#include "pagevault/repo/format.h"
#include "sodium_bytes.h"

namespace pagevault::repo {

namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::string_view kCommitmentLabel = "pagevault key commitment v1";

static_assert(kAesKeyBytes == kKeyBytes);
static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == kKeyBytes);
static_assert(crypto_aead_xchacha20poly1305_ietf_ABYTES == kTagBytes);

/// The counter, then zeros; AES-GCM uses the first 12 bytes of it.
using Nonce = std::array<std::byte, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES>;

Nonce counter_nonce(std::uint64_t counter) {
  Nonce nonce{};
  store_le64(nonce, counter);
  return nonce;
}

ByteView gcm_nonce(const Nonce& nonce) { return ByteView(nonce).first(kGcmNonceBytes); }

}  // namespace

Cipher preferred_cipher() {
  PV_CHECK(init_crypto());
  const bool has_aes = crypto_aead_aes256gcm_is_available() == 1;
  return has_aes ? Cipher::Aes256Gcm : Cipher::XChaCha20Poly1305;
}

Result<Cipher> cipher_from_byte(std::uint8_t number) {
  if (number == static_cast<std::uint8_t>(Cipher::XChaCha20Poly1305)) {
    return Cipher::XChaCha20Poly1305;
  }
  if (number != static_cast<std::uint8_t>(Cipher::Aes256Gcm)) {
    return Error(ErrorCode::Unsupported, fmt::format("unknown cipher {}", number));
  }
  return Cipher::Aes256Gcm;
}

struct Aead::State {
  Cipher cipher;
  Commitment commitment;
  SecretBytes key;
};

Aead::Aead(Cipher cipher, SecretBytes key) {
  PV_CHECK(key.size() == kKeyBytes);
  const Commitment commitment = blake2b_256(key.expose(), as_bytes(kCommitmentLabel));
  state_ = std::make_unique<State>(State{cipher, commitment, std::move(key)});
}

Aead::Aead(Aead&&) noexcept = default;
Aead& Aead::operator=(Aead&&) noexcept = default;
Aead::~Aead() = default;

Cipher Aead::cipher() const { return state_->cipher; }
const Commitment& Aead::commitment() const { return state_->commitment; }

void Aead::seal(std::uint64_t counter, ByteView plain, ByteView associated,
                MutableBytes out) const {
  PV_CHECK(out.size() == plain.size() + kTagBytes);
  const Nonce nonce = counter_nonce(counter);
  const ByteView key = state_->key.expose();
  if (state_->cipher == Cipher::Aes256Gcm) {
    return aes_gcm_seal(key, gcm_nonce(nonce), plain, associated, out);
  }
  const int failed = crypto_aead_xchacha20poly1305_ietf_encrypt(
      sodium_out(out), nullptr, sodium_in(plain), plain.size(), sodium_in(associated),
      associated.size(), nullptr, sodium_in(nonce), sodium_in(key));
  PV_CHECK(failed == 0);
}

Status Aead::open(std::uint64_t counter, ByteView sealed, ByteView associated,
                  MutableBytes out) const {
  if (sealed.size() < kTagBytes) return Error(ErrorCode::AuthFailed, "shorter than its tag");
  PV_CHECK(out.size() == sealed.size() - kTagBytes);
  const Nonce nonce = counter_nonce(counter);
  const ByteView key = state_->key.expose();
  const bool authentic =
      state_->cipher == Cipher::Aes256Gcm
          ? aes_gcm_open(key, gcm_nonce(nonce), sealed, associated, out)
          : crypto_aead_xchacha20poly1305_ietf_decrypt(
                sodium_out(out), nullptr, nullptr, sodium_in(sealed), sealed.size(),
                sodium_in(associated), associated.size(), sodium_in(nonce), sodium_in(key)) == 0;
  if (authentic) return ok();
  std::ranges::fill(out, std::byte{0});
  return Error(ErrorCode::AuthFailed, "authentication failed");
}

SecretBytes derive_salted_key(ByteView key32, std::string_view label, ByteView salt) {
  PV_CHECK(key32.size() == kKeyBytes);
  SecretBytes out(kKeyBytes);
  crypto_generichash_state state;
  crypto_generichash_init(&state, sodium_in(key32), key32.size(), kKeyBytes);
  crypto_generichash_update(&state, sodium_in(as_bytes(label)), label.size());
  crypto_generichash_update(&state, sodium_in(salt), salt.size());
  crypto_generichash_final(&state, sodium_out(out.expose_mutable()), kKeyBytes);
  sodium_memzero(&state, sizeof state);
  return out;
}

std::array<std::byte, 32> blake2b_256(ByteView key, ByteView data) {
  std::array<std::byte, 32> out;
  const int failed = crypto_generichash(sodium_out(out), out.size(), sodium_in(data), data.size(),
                                        key.empty() ? nullptr : sodium_in(key), key.size());
  PV_CHECK(failed == 0);
  return out;
}

}  // namespace pagevault::repo
