// What the pack's writer and reader must agree on. docs/format.md, 4.

#pragma once

#include <array>

#include "pagevault/repo/blob.h"
#include "pagevault/repo/pack_writer.h"

namespace pagevault::repo {

inline constexpr std::array<std::uint8_t, 8> kPackMagic{'P', 'V', 'P', 'A', 'C', 'K', 0, 1};
inline constexpr std::string_view kPackEndMagic = "PVPACKE1";
inline constexpr std::size_t kPackSealedKeyOffset = 80;

/// Header, one blob of one byte, a directory of one entry, trailer.
inline constexpr std::uint64_t kPackBytesMin =
    kPackHeaderBytes + (1 + kTagBytes) + (kBlobEntryBytesMin + kTagBytes) + kPackTrailerBytes;

struct PackTrailer {
  std::uint64_t directory_offset = 0;
  std::uint32_t directory_bytes = 0;  ///< Sealed.
  std::uint32_t blobs = 0;
  std::uint64_t checksum = 0;
};

/// The trailer's 32 bytes but for the checksum, its last 8.
Bytes encode_trailer_start(const PackTrailer& trailer);
/// Errors: Corrupt unless the fields fit a file of `file_bytes` bytes: limits, Padme length.
Result<PackTrailer> decode_trailer(ByteView trailer, std::uint64_t file_bytes);

/// What the directory of `pack` authenticates besides itself; `header` are its 160 bytes.
BlobBinding directory_binding(const RepositoryId& repository, const PackId& pack, ByteView header,
                              const PackTrailer& trailer);

}  // namespace pagevault::repo
