// Verifies one pack with all its data: checksum, header, directory, padding, and every blob down to
// the id of its plain bytes.

#pragma once

#include <functional>
#include <vector>

#include "pagevault/repo/chunk_reader.h"

namespace pagevault::engine {

struct PackFindings {
  /// Something is wrong with the pack as a whole; blobs may still be fine.
  std::vector<Error> problems;
  /// True when no blob of it can be used.
  bool unusable = false;
  struct BadBlob {
    ChunkId id;
    Error error;
    bool in_base = false;  ///< The blob is a delta of something that cannot be read.
  };
  std::vector<BadBlob> blobs;
  std::uint64_t bytes_read = 0;
  bool clean() const { return problems.empty() && blobs.empty(); }
};

/// Reads the pack in runs of at most 4 MiB. `indexed` is what the index says of it; null when no
/// index names it. Thread-safe.
PackFindings check_pack(repo::ChunkReader& reader, const PackId& id, const repo::PackInfo* indexed);

}  // namespace pagevault::engine
