// CRC-32C (Castagnoli), the checksum of extents and of PostgreSQL manifests. Finds accidents only.

#pragma once

#include <cstdint>

#include "pagevault/base/bytes.h"

namespace pagevault {

/// The CRC-32C of `data`; the digits "123456789" give 0xE3069283. With `seed` = the CRC of what
/// came before, the CRC of both together.
std::uint32_t crc32c(ByteView data, std::uint32_t seed = 0);

/// The CRC of A followed by B, from the CRC of each and the length of B in bytes (any 64-bit
/// value). The bytes are not needed. Cost: some ten nanoseconds per set bit of the length.
std::uint32_t crc32c_combine(std::uint32_t crc_a, std::uint32_t crc_b, std::uint64_t length_b);

}  // namespace pagevault
