// The envelope of config, index, snapshot and session objects. Source: docs/format.md, 3.

#pragma once

#include <string>

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

/// Seals `body` with a fresh salt from `env`.
Bytes seal_object(Env& env, const KeySet& keys, const ObjectPlace& place, ByteView body);

/// The body. Errors: Corrupt (magic, lengths, checksum, reserved bits), Unsupported (version,
/// cipher), AuthFailed (wrong repository, place, key, or forged).
Result<Bytes> open_object(const KeySet& keys, const ObjectPlace& place, ByteView object);

/// Verifies the unkeyed checksum at the end of a sealed object or key slot. Errors: Corrupt.
Status verify_checksum(ByteView object);

}  // namespace pagevault::repo
