// The keys, credentials and small tools that tests of slots and sealed objects share. The values
// are those of tests/golden/keys/rewrite.py.

#pragma once

#include <algorithm>
#include <string_view>

#include "pagevault/base/codec.h"
#include "pagevault/repo/key_set.h"
#include "pagevault/repo/key_slot.h"
#include "pagevault/repo/sealed_object.h"

namespace pagevault::repo {

inline SecretBytes filled_secret(int byte) {
  SecretBytes secret(32);
  std::ranges::fill(secret.expose_mutable(), static_cast<std::byte>(byte));
  return secret;
}

/// 00 01 .. 1f.
inline MasterSecret golden_master() {
  MasterSecret master;
  int next = 0;
  for (std::byte& byte : master.expose_mutable()) byte = static_cast<std::byte>(next++);
  return master;
}

inline const KeySet& golden_keys() {
  static const KeySet keys = KeySet::derive(golden_master());
  return keys;
}

template <class Id>
Id id_of(int byte) {
  Id id;
  id.bytes.fill(static_cast<std::byte>(byte));
  return id;
}

inline Credential passphrase(std::string_view text) {
  return Passphrase{SecretBytes::copy_of(as_bytes(text))};
}
inline Credential golden_passphrase() { return passphrase("correct horse b\u00e4ttery"); }
inline Credential key_file(int byte) { return KeyFileSecret{filled_secret(byte)}; }
inline Credential golden_key_file() { return key_file(0xc3); }

inline Bytes with_bit_flipped(Bytes bytes, std::size_t bit) {
  bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
  return bytes;
}

/// With the checksum at the end made good again, so that what lies behind it is reached.
inline Bytes with_checksum(Bytes bytes) {
  const MutableBytes all(bytes);
  store_le64(all.last(8), object_checksum(all.first(all.size() - 8)));
  return bytes;
}

}  // namespace pagevault::repo
