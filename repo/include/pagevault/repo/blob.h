// One stored chunk: what a pack's directory and the index say of it. docs/format.md, 4.

#pragma once

#include <cstdint>

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

void encode_blob_entry(Encoder& out, const BlobEntry& entry);
/// Errors: Corrupt, Unsupported; checks limits, and that type and encoding fit.
Result<BlobEntry> decode_blob_entry(Decoder& in);

/// What the index says of a pack.
struct PackInfo {
  PackId id;
  PackContent content = PackContent::Data;
  Cipher cipher = Cipher::Aes256Gcm;
  KeyMode key_mode = KeyMode::Derived;
  std::uint64_t file_bytes = 0;
  bool operator==(const PackInfo&) const = default;
};

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
