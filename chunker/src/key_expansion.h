// Stretches the 32-byte cut key to the tables that the chunkers need.

#pragma once

#include <cstddef>
#include <string_view>

#include "pagevault/base/secret.h"
#include "pagevault/chunker/cut_key.h"

namespace pagevault::chunker {

/// `size` bytes (a multiple of 64): block i is BLAKE2b-512 with `key` of `label` || u32 i,
/// little-endian. Format-critical: cuts follow from it.
SecretBytes expand_cut_key(const CutKey& key, std::string_view label, std::size_t size);

}  // namespace pagevault::chunker
