#include "pagevault/repo/aead.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>

#include "pagevault/base/codec.h"
#include "pagevault/repo/format.h"
#include "sodium_bytes.h"

namespace pagevault::repo {

namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::string_view kCommitmentLabel = "pagevault key commitment v1";

static_assert(crypto_aead_aes256gcm_KEYBYTES == kKeyBytes);
static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == kKeyBytes);
static_assert(crypto_aead_aes256gcm_ABYTES == kTagBytes);
static_assert(crypto_aead_xchacha20poly1305_ietf_ABYTES == kTagBytes);
// sodium_malloc puts the end of an allocation at a page border: a whole number of alignments is
// aligned.
// NOLINTNEXTLINE(misc-redundant-expression): size and alignment are two things.
static_assert(sizeof(crypto_aead_aes256gcm_state) % alignof(crypto_aead_aes256gcm_state) == 0);

/// The counter, then zeros; AES-GCM uses the first 12 bytes of it.
using Nonce = std::array<std::byte, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES>;

Nonce counter_nonce(std::uint64_t counter) {
  Nonce nonce{};
  store_le64(nonce, counter);
  return nonce;
}

bool aes_available() {
  PV_CHECK(init_crypto());
  return crypto_aead_aes256gcm_is_available() == 1;
}

SecretBytes expand_aes_key(const SecretBytes& key) {
  SecretBytes state(sizeof(crypto_aead_aes256gcm_state));
  crypto_aead_aes256gcm_beforenm(
      static_cast<crypto_aead_aes256gcm_state*>(static_cast<void*>(state.expose_mutable().data())),
      sodium_in(key.expose()));
  return state;
}

const crypto_aead_aes256gcm_state* aes_state(const SecretBytes& expanded) {
  return static_cast<const crypto_aead_aes256gcm_state*>(
      static_cast<const void*>(expanded.expose().data()));
}

}  // namespace

Cipher preferred_cipher() {
  return aes_available() ? Cipher::Aes256Gcm : Cipher::XChaCha20Poly1305;
}

Result<Cipher> cipher_from_byte(std::uint8_t number) {
  if (number == static_cast<std::uint8_t>(Cipher::XChaCha20Poly1305)) {
    return Cipher::XChaCha20Poly1305;
  }
  if (number != static_cast<std::uint8_t>(Cipher::Aes256Gcm)) {
    return Error(ErrorCode::Unsupported, fmt::format("unknown cipher {}", number));
  }
  if (!aes_available()) {
    return Error(ErrorCode::Unsupported, "AES-256-GCM needs a processor with AES instructions");
  }
  return Cipher::Aes256Gcm;
}

struct Aead::State {
  Cipher cipher;
  Commitment commitment;
  SecretBytes secret;  // AES: the key schedule. XChaCha20: the key.
};

Aead::Aead(Cipher cipher, SecretBytes key) {
  PV_CHECK(key.size() == kKeyBytes);
  const Commitment commitment = blake2b_256(key.expose(), as_bytes(kCommitmentLabel));
  if (cipher == Cipher::Aes256Gcm) {
    PV_CHECK(aes_available());
    key = expand_aes_key(key);
  }
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
  const int failed =
      state_->cipher == Cipher::Aes256Gcm
          ? crypto_aead_aes256gcm_encrypt_afternm(
                sodium_out(out), nullptr, sodium_in(plain), plain.size(), sodium_in(associated),
                associated.size(), nullptr, sodium_in(nonce), aes_state(state_->secret))
          : crypto_aead_xchacha20poly1305_ietf_encrypt(
                sodium_out(out), nullptr, sodium_in(plain), plain.size(), sodium_in(associated),
                associated.size(), nullptr, sodium_in(nonce), sodium_in(state_->secret.expose()));
  PV_CHECK(failed == 0);
}

Status Aead::open(std::uint64_t counter, ByteView sealed, ByteView associated,
                  MutableBytes out) const {
  if (sealed.size() < kTagBytes) return Error(ErrorCode::AuthFailed, "shorter than its tag");
  PV_CHECK(out.size() == sealed.size() - kTagBytes);
  const Nonce nonce = counter_nonce(counter);
  const int failed = state_->cipher == Cipher::Aes256Gcm
                         ? crypto_aead_aes256gcm_decrypt_afternm(
                               sodium_out(out), nullptr, nullptr, sodium_in(sealed), sealed.size(),
                               sodium_in(associated), associated.size(), sodium_in(nonce),
                               aes_state(state_->secret))
                         : crypto_aead_xchacha20poly1305_ietf_decrypt(
                               sodium_out(out), nullptr, nullptr, sodium_in(sealed), sealed.size(),
                               sodium_in(associated), associated.size(), sodium_in(nonce),
                               sodium_in(state_->secret.expose()));
  if (failed == 0) return ok();
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
