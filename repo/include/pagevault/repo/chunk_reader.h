// Reads chunks by id: index, pack, unseal, decode. Every other place of a chunk is tried before it
// is given up.

#pragma once

#include <memory>

#include "pagevault/repo/chunk_codec.h"
#include "pagevault/repo/chunk_index.h"
#include "pagevault/repo/repository.h"

namespace pagevault::repo {

/// Keys of packs by id; bounded. Reads the pack's header on a miss. Thread-safe.
class PackKeyring {
 public:
  explicit PackKeyring(const Repository& repository);
  ~PackKeyring();
  /// Valid as long as the returned pointer is held.
  Result<std::shared_ptr<const Aead>> aead(const PackInfo& pack);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Thread-safe. Holds a bounded cache of decoded metadata chunks.
class ChunkReader {
 public:
  ChunkReader(const Repository& repository, ChunkIndex& index);
  ~ChunkReader();

  /// Plain bytes of a metadata chunk, id verified. Errors: NotFound (not in the index), Corrupt,
  /// AuthFailed, Io.
  Result<std::shared_ptr<const Bytes>> read_metadata(const ChunkId& id);
  /// Plain bytes of a data chunk, id verified; not cached.
  Result<Bytes> read_data(const ChunkId& id);
  /// Bytes of a dictionary, id verified.
  Result<Bytes> read_dictionary(const ChunkId& id);

  /// Decodes `sealed` (read from `where` by the caller) into `plain` (entry.plain_bytes long).
  /// Fetches the base of a delta or dictionary when there is one. `verify_id`: hash it too.
  Status decode(const BlobLocation& where, ByteView sealed, MutableBytes plain, bool verify_id);
  /// The same with the base at hand: `base` is empty unless has_base(where.entry.encoding).
  Status decode_onto(const BlobLocation& where, ByteView sealed, ByteView base, MutableBytes plain,
                     bool verify_id);

  /// Plain bytes of the chunk that a blob with a base builds on; from a bounded cache if it was
  /// there lately. `sealed`: its stored bytes, read from `where`. They are authentic, but no more
  /// is proved: what is decoded onto them must be verified itself, and before something new is
  /// encoded onto them, they must be.
  Result<std::shared_ptr<const Bytes>> decode_base(const BlobLocation& where, ByteView sealed);
  /// What decode_base would take from its cache; null: nothing.
  std::shared_ptr<const Bytes> cached_base(const ChunkId& id) const;
  /// The same, but found and read here.
  Result<std::shared_ptr<const Bytes>> read_base(const BlobEntry& entry);

  /// Stored bytes read so far, of chunks and what lies between near ones.
  std::uint64_t bytes_read() const;
  /// A batch has read so many.
  void count_read(std::uint64_t bytes);

  ChunkIndex& index() { return *index_; }
  const Repository& repository() const { return *repository_; }

 private:
  // `as_base_of`: the blob that builds on this chunk, whose depth is limited; or null.
  Result<Bytes> read_chunk(BlobType type, const ChunkId& id, const BlobEntry* as_base_of);
  Result<Bytes> read_at(const BlobLocation& where);

  struct State;
  const Repository* repository_;
  ChunkIndex* index_;
  std::unique_ptr<State> state_;
};

}  // namespace pagevault::repo
