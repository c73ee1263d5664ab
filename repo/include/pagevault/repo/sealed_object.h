// The envelope of config, index, snapshot and session objects. Source: docs/format.md, 3.

#pragma once

#include <array>

#include "pagevault/base/digest.h"
#include "pagevault/base/env.h"
#include "pagevault/repo/key_set.h"

namespace pagevault::repo {

/// What an object is bound to besides its bytes.
struct ObjectPlace {
  ObjectType type;
  RepositoryId repository;         ///< Zero for Config.
  std::array<std::byte, 32> id{};  ///< Zero for Config.
};

/// Bytes an object is longer than its body.
inline constexpr std::size_t kSealedObjectOverhead = 112;

/// Seals `body` (at most kSealedBodyBytesMax) with a fresh salt from `env`.
Bytes seal_object(Env& env, const KeySet& keys, const ObjectPlace& place, ByteView body,
                  Cipher cipher = preferred_cipher());

/// The body. Errors, in this order: Corrupt (magic, checksum), Unsupported (version, flags,
/// cipher), Corrupt (lengths), AuthFailed (wrong type, repository, id or key, or forged).
Result<Bytes> open_object(const KeySet& keys, const ObjectPlace& place, ByteView object);

/// XXH3 of `content`, the checksum at the end of every object: a scrub needs no key.
std::uint64_t object_checksum(ByteView content);
/// Verifies the unkeyed checksum at the end of a sealed object or key slot. Errors: Corrupt.
Status verify_checksum(ByteView object);

}  // namespace pagevault::repo
