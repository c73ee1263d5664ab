// Finds and reads the chunks that new chunks are encoded against.

#pragma once

#include <functional>
#include <memory>
#include <span>

#include "pagevault/repo/blob_batch.h"
#include "pagevault/repo/delta_policy.h"

namespace pagevault::repo {

/// What a new chunk may be a delta of: never itself a delta (depth 1). Empty: nothing.
struct DeltaBase {
  BlobEntry entry;
  std::shared_ptr<const BlobBatch> batch;  ///< Holds its stored bytes; or
  std::shared_ptr<const Bytes> cached;     ///< its plain bytes, unproved. Both null: no base.

  bool exists() const { return batch || cached; }
  Result<std::shared_ptr<const Bytes>> decode() const {
    return cached ? Result<std::shared_ptr<const Bytes>>(cached) : batch->decode_base(entry.id);
  }
};

class DeltaBases {
 public:
  /// `is_lost`: packs that must not be built on. All outlive it.
  DeltaBases(ChunkReader& reader, DeltaPolicy& policy, std::function<bool(const PackId&)> is_lost)
      : reader_(&reader), policy_(&policy), is_lost_(std::move(is_lost)) {}

  struct Wanted {
    BlobType type = BlobType::Data;
    ChunkId predecessor;  ///< Zero: none.
  };
  /// One answer for each, all read in one batch. A predecessor that is itself a delta is replaced
  /// by its base; one that is unknown, lost or still on its way to the store gives no base.
  /// Thread-safe. Errors: of the index.
  Result<std::vector<DeltaBase>> fetch(std::span<const Wanted> wanted) const;

 private:
  Result<std::optional<BlobLocation>> place_of(BlobType type, const ChunkId& id) const;
  Result<std::optional<BlobLocation>> base_for(const Wanted& wanted) const;

  ChunkReader* reader_;
  DeltaPolicy* policy_;
  std::function<bool(const PackId&)> is_lost_;
};

}  // namespace pagevault::repo
