// A chunk as a zstd frame that has its base as prefix. docs/format.md, 4, encoding 4.

#pragma once

#include <optional>

#include "delta_matcher.h"
#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"
#include "zstd_contexts.h"

namespace pagevault::repo {

/// Not thread-safe.
class DeltaEncoder {
 public:
  DeltaEncoder();

  /// Nothing when the frame would be longer than `bytes_max`. The bytes are valid until the next
  /// call. Errors: NoSpace (memory).
  Result<std::optional<ByteView>> encode(ByteView plain, ByteView base, std::size_t bytes_max);

 private:
  bool is_noise(ByteView frame) const;
  std::optional<ByteView> encode_matches(ByteView plain, ByteView base, std::size_t bytes_max);
  Result<std::optional<ByteView>> encode_searched(ByteView plain, ByteView base,
                                                  std::size_t bytes_max);

  DeltaMatcher matcher_;
  ZstdCompressor writer_;    // Writes down the matcher's matches.
  ZstdCompressor searcher_;  // Searches by itself. Made when first needed.
  Bytes written_;
  std::size_t literal_bytes_ = 0;  // Of the chunk that was written last.
  Bytes searched_;
};

}  // namespace pagevault::repo
