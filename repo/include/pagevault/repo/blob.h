// One stored chunk: what a pack's directory and the index say of it. docs/format.md, 4.

#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "pagevault/base/codec.h"
#include "pagevault/base/digest.h"
#include "pagevault/repo/aead.h"
#include "pagevault/repo/format.h"

namespace pagevault::repo {

struct BlobEntry {
  ChunkId id;
  BlobType type = BlobType::Data;
  Encoding encoding = Encoding::Raw;
  std::uint32_t stored_bytes = 0;  ///< Ciphertext and tag.
  std::uint32_t plain_bytes = 0;
  ChunkId base;  ///< Zero unless has_base(encoding).
  bool operator==(const BlobEntry&) const = default;
};

/// Encoded length of an entry: id, type, encoding, two varints of 1 to 4 bytes, base.
inline constexpr std::size_t kBlobEntryBytesMin = 32 + 1 + 1 + 1 + 1;
inline constexpr std::size_t kBlobEntryBytesMax = 32 + 1 + 1 + 4 + 4 + 32;

/// What breaks the format's rules on lengths, base and type; empty when nothing does.
std::string_view problem_of(const BlobEntry& entry);

/// Whether blobs of `type` live in packs of `content`.
constexpr bool belongs(BlobType type, PackContent content) {
  return (type == BlobType::Metadata) == (content == PackContent::Metadata);
}

void encode_blob_entry(Encoder& out, const BlobEntry& entry);
/// Bytes that encode_blob_entry appends.
std::size_t blob_entry_bytes(const BlobEntry& entry);
/// Errors: Corrupt, Unsupported; checks limits, and that type and encoding fit.
Result<BlobEntry> decode_blob_entry(Decoder& in);
/// The next `count` entries, of a pack with `content`. Errors: Corrupt, Unsupported; Corrupt also
/// when `count` is outside 1..kPackBlobsMax or more than the input can hold.
Result<std::vector<BlobEntry>> decode_blob_entries(Decoder& in, std::uint64_t count,
                                                   PackContent content);

/// What the index says of a pack.
struct PackInfo {
  PackId id;
  PackContent content = PackContent::Data;
  Cipher cipher = Cipher::Aes256Gcm;
  KeyMode key_mode = KeyMode::Derived;
  std::uint64_t file_bytes = 0;
  bool operator==(const PackInfo&) const = default;
};

/// File length of a pack that holds `blobs`: it follows from them, so an index that says otherwise
/// is wrong. docs/format.md, 4.
std::uint64_t pack_file_bytes(std::span<const BlobEntry> blobs);

/// A pack with its directory.
struct PackDirectory {
  PackInfo info;
  std::vector<BlobEntry> blobs;
  bool operator==(const PackDirectory&) const = default;
};

/// Where one blob lies.
struct BlobLocation {
  PackInfo pack;
  std::uint32_t ordinal = 0;
  std::uint64_t offset = 0;
  BlobEntry entry;
};

}  // namespace pagevault::repo
