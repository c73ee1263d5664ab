// Many chunks fetched at once: planned by pack and offset, near ones joined, read in one batch,
// decoded on any thread. What restore, dump, check and the encoding of deltas read with.

#pragma once

#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "pagevault/repo/chunk_reader.h"

namespace pagevault::repo {

/// Immutable after fetch; decode is thread-safe.
class BlobBatch {
 public:
  /// Reads the stored bytes at `places`, and those of the chunks that deltas among them are made
  /// of. Failures stay with their blobs. A second place of one chunk is ignored. Memory: the stored
  /// bytes of all, and the gaps joined over. `reader` outlives it.
  static std::shared_ptr<const BlobBatch> fetch(ChunkReader& reader,
                                                const std::vector<BlobLocation>& places);

  /// Reads only what the deltas among `places` are made of; their own bytes are at hand.
  static std::shared_ptr<const BlobBatch> fetch_bases(ChunkReader& reader,
                                                      std::span<const BlobLocation> places);

  /// Where the chunk was read; null when it is not part of the batch.
  const BlobLocation* place_of(const ChunkId& id) const;

  /// Fills `plain` (plain_bytes of the chunk's place) with its bytes; `verify_id`: hashed against
  /// the id. Precondition: place_of(id). Errors: of the one place that was read: NotFound, Corrupt,
  /// AuthFailed, Io.
  Status decode(const ChunkId& id, MutableBytes plain, bool verify_id) const;
  /// The plain bytes of a chunk that deltas are made of, from the reader's cache if they are there;
  /// proved as little as by ChunkReader::decode_base. Precondition and errors as for decode.
  Result<std::shared_ptr<const Bytes>> decode_base(const ChunkId& id) const;
  /// The same for what `entry` is made of; if that was not planned or cannot be read, from any
  /// other place. Null when !has_base(entry.encoding).
  Result<std::shared_ptr<const Bytes>> base_of(const BlobEntry& entry) const;

  /// Stored bytes read, gaps included.
  std::uint64_t bytes_read() const;

 private:
  // One blob, and where its sealed bytes are once read.
  struct Blob {
    BlobLocation where;
    std::size_t run = 0;
    std::size_t offset = 0;  // In its run.
  };
  struct Run {
    ObjectName pack;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::unique_ptr<std::byte[]> bytes;  ///< Not cleared first: reading fills all of it.
    Status status;
    std::size_t size() const { return end - begin; }
  };

  explicit BlobBatch(ChunkReader& reader) : reader_(&reader) {}
  bool add(const BlobLocation& where);
  void add_base_of(const BlobEntry& entry);
  void plan_runs();
  void read_runs();
  const Blob* find(const ChunkId& id) const;
  Result<ByteView> sealed_bytes(const Blob& blob) const;

  ChunkReader* reader_;
  std::vector<Blob> blobs_;
  std::unordered_map<ChunkId, std::size_t> blob_of_;
  std::vector<Run> runs_;
};

}  // namespace pagevault::repo
