// What was fixed at init. Source: docs/format.md, 3 "Config".

#pragma once

#include <string>

#include "pagevault/base/digest.h"
#include "pagevault/chunker/stream_chunker.h"
#include "pagevault/repo/format.h"

namespace pagevault::repo {

struct Config {
  RepositoryId id;
  std::int64_t created_ns = 0;
  chunker::ChunkSizes stream_sizes{.min = 16 * 1024, .target = 64 * 1024, .max = 256 * 1024};
  chunker::ChunkSizes page_sizes{.min = 32 * 1024, .target = 64 * 1024, .max = 128 * 1024};
  std::uint32_t pack_bytes = 32 * 1024 * 1024;
  KeyMode data_key_mode = KeyMode::Derived;
  std::string label;
};

Bytes encode_config(const Config& config);
/// Errors: Corrupt, Unsupported (features, key mode sealed, span length).
Result<Config> decode_config(ByteView body);

}  // namespace pagevault::repo
