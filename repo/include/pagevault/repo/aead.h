// Authenticated encryption with counter nonces, and key commitment. Source: docs/format.md, 2.
//
// An Aead belongs to one salt: a (key, nonce) pair is used once because every salt is fresh and
// every counter value under it is sealed once (I13). Callers own the counters.

#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"
#include "pagevault/base/secret.h"

namespace pagevault::repo {

enum class Cipher : std::uint8_t { Aes256Gcm = 1, XChaCha20Poly1305 = 2 };

/// What to seal with: AES-256-GCM where the processor has instructions for it, else
/// XChaCha20-Poly1305, which is faster there (docs/adr/0004-keys-and-ciphers). Both open
/// everywhere.
Cipher preferred_cipher();
/// Errors: Unsupported for an unknown number.
Result<Cipher> cipher_from_byte(std::uint8_t number);

using Commitment = std::array<std::byte, 32>;

/// One key, ready to use. Immutable and thread-safe after creation.
class Aead {
 public:
  /// `key` has 32 bytes. Keeps it in guarded memory.
  Aead(Cipher cipher, SecretBytes key);
  Aead(Aead&&) noexcept;
  Aead& operator=(Aead&&) noexcept;
  ~Aead();

  Cipher cipher() const;
  /// H(key, "pagevault key commitment v1").
  const Commitment& commitment() const;

  /// Writes plain.size() + 16 bytes to `out` (exactly that size). `out` may start where `plain`
  /// starts (in place), and must not overlap it otherwise. The caller uses each counter once.
  void seal(std::uint64_t counter, ByteView plain, ByteView associated, MutableBytes out) const;
  /// Writes sealed.size() - 16 bytes to `out` (exactly that size; in place as above). Errors:
  /// AuthFailed, also when `sealed` is shorter than a tag; `out` is then zeroed.
  Status open(std::uint64_t counter, ByteView sealed, ByteView associated, MutableBytes out) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// H(key, label || salt): the key of one pack, object or slot.
SecretBytes derive_salted_key(ByteView key32, std::string_view label, ByteView salt);

/// BLAKE2b-256, keyed when `key` is not empty.
std::array<std::byte, 32> blake2b_256(ByteView key, ByteView data);

}  // namespace pagevault::repo
