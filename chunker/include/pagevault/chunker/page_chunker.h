// Content-defined cuts for database files: only between whole pages, where the keyed hash of a page
// says so, and around runs of zero pages, which become holes.
//
// Format-critical like the stream chunker: this is page chunker kind 1. Golden:
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

struct Xxh3Kernel;

/// Finds chunk boundaries in a file of `page_size` pages. Immutable and thread-safe. Moves only.
///
/// Kind 1, exactly. Lengths are whole pages; max is rounded down to whole pages. For a chunk that
/// would end after a page, with length p:
///   1. Zero pages at the start: if they (and a zero rest of the input) reach min, or the input is
///      nothing else, the chunk is that run, up to max. Otherwise they are pages like others.
///   2. The page after p is zero and this one is not: cut when p >= min, or when that zero run is
///      at least min long.
///   3. p == max: cut.
///   4. Otherwise cut when p >= min, this page is not zero, and XXH3-64 of the page with the secret
///      derived from the key is below T(p), where
///        T(p) = floor((2^64 - 1) / (4 * target / page_size))  while p < min + 3/4 (target - min);
///        T(p) = floor((2^64 - 1) / max(1, target / 4 / page_size))  from there on.
///      (Quotients round down; with pages of a quarter of the target or more the second always
///      cuts, except for the one hash value 2^64 - 1.)
/// A rest shorter than a page at the end of the input belongs to the last chunk: cut 4 is not made
/// when only such a rest would follow.
/// With 32/64/128 KiB the mean on random data is 60..69 KiB for pages of 512 bytes to 64 KiB.
class PageChunker {
 public:
  /// Errors: InvalidArgument: check_chunk_sizes; page_size not a power of two in 512..65536 or
  /// above sizes.max.
  static Result<PageChunker> create(const CutKey& key, ChunkSizes sizes, std::uint32_t page_size);

  /// Same contract as StreamChunker::cut; `input` starts at a page boundary of the file.
  ///
  /// A run of zero pages longer than max comes back in pieces of max, each all zero; callers join
  /// neighbouring holes.
  std::size_t cut(ByteView input) const;

  ChunkSizes sizes() const { return sizes_; }
  std::uint32_t page_size() const { return page_size_; }

 private:
  PageChunker(SecretBytes secret, ChunkSizes sizes, std::uint32_t page_size);

  std::size_t zero_run(ByteView input, std::size_t from, std::size_t limit) const;
  bool page_ends_chunk(ByteView page, std::size_t length) const;

  SecretBytes secret_;  // Of XXH3, 192 bytes.
  const Xxh3Kernel* kernel_;
  ChunkSizes sizes_;
  std::uint32_t page_size_;
  std::size_t length_max_;  // sizes_.max in whole pages.
  std::size_t loose_from_;  // First length with the loose test.
  std::uint64_t threshold_strict_;
  std::uint64_t threshold_loose_;
};

}  // namespace pagevault::chunker
