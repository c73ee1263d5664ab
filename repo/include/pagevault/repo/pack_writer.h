// Writes one pack: seals blobs back to back, then directory, padding, trailer. docs/format.md, 4.

#pragma once

#include <memory>
#include <vector>

#include "pagevault/base/env.h"
#include "pagevault/repo/blob.h"
#include "pagevault/repo/key_set.h"
#include "pagevault/repo/store.h"

namespace pagevault::repo {

/// Not thread-safe. A pack that fails is dead: its salt is never used again (S6, F2.3).
class PackWriter {
 public:
  struct Options {
    PackContent content;
    Cipher cipher;
    RepositoryId repository;
  };
  /// Creates the object under a fresh random id.
  static Result<std::unique_ptr<PackWriter>> create(Env& env, Store& store, const KeySet& keys,
                                                    const Options& options);
  ~PackWriter();

  /// Seals and appends `encoded`. `entry.stored_bytes` is filled in. Errors: Io, NoSpace; after
  /// one, every later call answers with it. Precondition: !full(), and `entry` keeps the format's
  /// rules (problem_of).
  Status add(BlobEntry entry, ByteView encoded);

  std::uint64_t bytes() const;  ///< Written or buffered so far.
  std::size_t blobs() const;
  /// Length of the finished pack, padding included, if `next` were its last blob.
  std::uint64_t file_bytes_with(const BlobEntry& next) const;
  /// True when the format's limits (kPackBlobsMax, kPackBytesMax) leave no room for one more chunk.
  /// Writers close a pack long before, at the config's pack length, unless blobs are tiny.
  bool full() const;
  const PackId& id() const;

  /// Directory, padding, trailer, sync, name. After that the pack is durable. At least one blob.
  Result<PackDirectory> finish();

 private:
  PackWriter();
  struct State;
  std::unique_ptr<State> state_;
};

/// Padme length of `length` (docs/format.md, 4 "Padding").
std::uint64_t padme(std::uint64_t length);

/// The 136 bytes that a blob or directory authenticates besides itself.
struct BlobBinding {
  RepositoryId repository;
  PackId pack;
  std::uint32_t ordinal = 0;
  std::uint64_t offset = 0;
  std::uint8_t type = 0;
  std::uint8_t encoding = 0;
  std::uint32_t stored_bytes = 0;
  std::uint32_t plain_bytes = 0;
  ChunkId id;
  ChunkId base;
  std::array<std::byte, 136> bytes() const;
};
/// The binding of the blob at `where`.
BlobBinding blob_binding(const RepositoryId& repository, const BlobLocation& where);

}  // namespace pagevault::repo
