// Content-defined cuts for byte streams (dumps, WAL, any file that is not made of pages): an
// insertion moves only the boundaries near it. FastCDC: a gear hash over the last 64 bytes, nothing
// looked at before `min`, a strict test first and a loose one later.
//
// Format-critical: boundaries decide what deduplicates against existing repositories. This is
// stream chunker kind 1; any change to its cuts is a new kind, never an edit. Golden:
// tests/golden/chunking/v1/.

#pragma once

#include <cstddef>
#include <cstdint>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"
#include "pagevault/base/secret.h"
#include "pagevault/chunker/chunk_sizes.h"
#include "pagevault/chunker/cut_key.h"

namespace pagevault::chunker {

struct GearTable;

/// Finds chunk boundaries. Immutable and thread-safe; one serves all streams. Moves only.
///
/// Kind 1, exactly. Let G be 256 u64 derived from the key, and for a position p (a chunk of length
/// p) h(p) = sum over k = 0..63 of G[byte p-1-k] << k, modulo 2^64: a function of the last 64 bytes
/// alone. The chunk ends at the smallest p >= min with h(p) < T(p), or at max, where
///   T(p) = floor((2^64 - 1) / (4 * target))  while p < min + 3/4 (target - min), rounded down;
///   T(p) = floor((2^64 - 1) / max(1, target / 4))  from there on.
/// With 16/64/256 KiB the mean on random data is 63.5 KiB (the test prints it).
class StreamChunker {
 public:
  /// Errors: InvalidArgument (check_chunk_sizes).
  static Result<StreamChunker> create(const CutKey& key, ChunkSizes sizes);

  /// Length of the first chunk of `input`, which starts where a chunk starts.
  ///
  /// `input` holds at least sizes().max bytes or ends the stream (or span); what lies beyond max
  /// does not matter. Returns input.size() when there is no cut before its end and it is not longer
  /// than max; 0 only for empty input. A pure function of the bytes from the chunk's start: two
  /// streams with a common stretch fall into step there. Never fails.
  std::size_t cut(ByteView input) const;

  ChunkSizes sizes() const { return sizes_; }

 private:
  StreamChunker(SecretBytes gear, ChunkSizes sizes);

  SecretBytes gear_;  // Holds a GearTable, which `table_` points to.
  const GearTable* table_;
  ChunkSizes sizes_;
  std::size_t loose_from_;  // First length with the loose test.
  std::uint64_t threshold_strict_;
  std::uint64_t threshold_loose_;
};

}  // namespace pagevault::chunker
