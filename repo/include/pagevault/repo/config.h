// What was fixed at init. Source: docs/format.md, 3 "Config".

#pragma once

#include <cstdint>
#include <string>

#include "pagevault/base/digest.h"
#include "pagevault/chunker/chunk_sizes.h"
#include "pagevault/repo/format.h"

namespace pagevault::repo {

/// Bounds of Config::pack_bytes.
inline constexpr std::uint32_t kConfigPackBytesMin = 16 * kMiB;
inline constexpr std::uint32_t kConfigPackBytesMax = 64 * kMiB;

struct Config {
  RepositoryId id;
  std::int64_t created_ns = 0;
  chunker::ChunkSizes stream_sizes = chunker::kStreamChunkSizes;
  chunker::ChunkSizes page_sizes = chunker::kPageChunkSizes;
  std::uint32_t pack_bytes = 32 * kMiB;  ///< A writer closes a pack here.
  KeyMode data_key_mode = KeyMode::Derived;
  std::string label;  ///< Untrusted text: escape it before printing (S17).
};

Bytes encode_config(const Config& config);
/// Errors: Corrupt (also sizes outside their bounds), Unsupported (unknown critical field,
/// features, chunker kind, span length, key mode sealed).
Result<Config> decode_config(ByteView body);

}  // namespace pagevault::repo
