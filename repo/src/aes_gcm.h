// AES-256-GCM with 12-byte nonces, by OpenSSL's libcrypto: the fastest of Debian's, and in constant
// time also on processors without AES instructions (ADR 0012).

#pragma once

#include "pagevault/base/bytes.h"

namespace pagevault::repo {

inline constexpr std::size_t kAesKeyBytes = 32;
inline constexpr std::size_t kGcmNonceBytes = 12;

/// Writes plain.size() + 16 bytes to `out`, the tag last; in place when both start at one byte.
/// The expanded key exists while the call lasts and is wiped at its end. Thread-safe.
void aes_gcm_seal(ByteView key32, ByteView nonce12, ByteView plain, ByteView associated,
                  MutableBytes out);

/// Writes sealed.size() - 16 bytes to `out`. False when they are not authentic: then what `out`
/// holds is worthless, and the caller must wipe it. Precondition: sealed has 16 bytes or more.
bool aes_gcm_open(ByteView key32, ByteView nonce12, ByteView sealed, ByteView associated,
                  MutableBytes out);

}  // namespace pagevault::repo
