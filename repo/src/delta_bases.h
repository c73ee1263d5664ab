// Finds, reads and proves the chunks that new chunks are encoded against.

#pragma once

#include <functional>
#include <memory>
#include <span>

#include "pagevault/chunker/gate.h"
#include "pagevault/repo/blob_batch.h"
#include "pagevault/repo/delta_policy.h"

namespace pagevault::repo {

/// What a new chunk may be a delta of: never itself a delta (depth 1).
struct DeltaBase {
  BlobEntry entry;
  std::shared_ptr<const Bytes> plain;  ///< Null: there is none.
  bool unreadable = false;             ///< There would be one, but it is damaged.
};

class DeltaBases {
 public:
  /// `is_lost`: packs that must not be built on. All outlive it.
  DeltaBases(ChunkReader& reader, DeltaPolicy& policy, std::function<bool(const PackId&)> is_lost)
      : reader_(&reader), policy_(&policy), is_lost_(std::move(is_lost)) {}

  struct Wanted {
    BlobType type = BlobType::Data;
    ChunkId predecessor;                ///< Zero: none.
    std::optional<chunker::Gate> gate;  ///< Of the predecessor, where it is known.
  };
  /// One answer for each, all read in one batch. A predecessor that is itself a delta is replaced
  /// by its base; one that is unknown, lost or still on its way to the store gives no base. What a
  /// new chunk is built on is proved, by the gate where it is known, else by its id: damage must
  /// not be passed on. Memory: the stored and plain bytes of all bases. Thread-safe.
  /// Errors: of the index.
  Result<std::vector<DeltaBase>> fetch(std::span<const Wanted> wanted) const;

 private:
  // A base on its way: where it lies, and its plain bytes, unproved.
  struct Candidate {
    std::size_t index = 0;  // In what was wanted.
    BlobLocation place;
    std::shared_ptr<const Bytes> plain;  // Null: not read yet, or unreadable.
  };
  Result<std::optional<BlobLocation>> place_of(BlobType type, const ChunkId& id) const;
  Result<std::optional<BlobLocation>> base_for(const Wanted& wanted) const;
  void read(std::vector<Candidate>& candidates) const;
  std::vector<bool> prove(std::span<const Candidate> candidates,
                          std::span<const Wanted> wanted) const;

  ChunkReader* reader_;
  DeltaPolicy* policy_;
  std::function<bool(const PackId&)> is_lost_;
};

}  // namespace pagevault::repo
