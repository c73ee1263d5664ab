// One writer's run: chunks in, packs and index objects out, and at last one snapshot.
//
// Invariants
//  1. Order of durability (I5): a pack is published before an index object names it, and that
//     before the snapshot that needs it.
//  2. A chunk counts as present when it was put in this session, or the index knows it in a pack
//     that the store listed at the session's start. Packs that are gone count for nothing, so what
//     the source still has is stored again (F5.4).
//  3. commit() lists the packs once more; a pack that vanished meanwhile fails the commit (I6).
//  4. The first error poisons the session (F8.2): a repository error is never a success.

#pragma once

#include <memory>
#include <optional>
#include <span>

#include "pagevault/repo/chunk_reader.h"
#include "pagevault/repo/delta_policy.h"
#include "pagevault/repo/index_loader.h"

namespace pagevault::repo {

struct PutResult {
  ChunkId id;
  bool is_new = false;
};

/// A chunk that another one may be stored as a delta of.
struct Predecessor {
  ChunkId chunk;                      ///< Zero: there is none.
  std::optional<chunker::Gate> gate;  ///< Of the whole chunk, where it is known.
};

/// One chunk to be stored unless it is there.
struct PutRequest {
  BlobType type = BlobType::Data;
  ByteView plain;
  /// What stood in its place before.
  Predecessor predecessor;
  /// Whether deltas of this source come out; null: always tried.
  DeltaTrial* trial = nullptr;
  /// Of the source, for chunks that are not stored as deltas; null: none. Outlives the session.
  SourceDictionary* dictionary = nullptr;
  PutResult result;  ///< Filled in.
};

struct SessionTotals {
  std::uint64_t chunks_new = 0;
  std::uint64_t bytes_new = 0;          ///< Plain.
  std::uint64_t bytes_stored_data = 0;  ///< Sealed.
  std::uint64_t bytes_stored_meta = 0;
  std::uint64_t deltas = 0;            ///< Of chunks_new.
  std::uint64_t bases_unreadable = 0;  ///< Damage met: what they were for was stored plain.
};

class WriteSession {
 public:
  struct Options {
    Compression compression = Compression::Auto;
    DeltaMode delta = DeltaMode::Auto;
    bool extra_verify = true;  ///< Decode and compare before publishing (S19).
    bool dry_run = false;      ///< Compute everything, write nothing; commit is refused.
    /// As listed before the session; null: none. They are not read again at the commit.
    const SnapshotListing* snapshots = nullptr;
  };
  /// Announces the session in the store and lists its packs. The index of `reader` was loaded;
  /// `reader` outlives the session.
  static Result<std::unique_ptr<WriteSession>> begin(ChunkReader& reader, const Options& options);
  /// Withdraws the announcement, best effort. What was published stays for a later run.
  ~WriteSession();

  /// Stores chunks unless they are there; the bases of deltas are read together, so chunks that lie
  /// near each other should come together. Thread-safe. Errors: NoSpace, Io, Corrupt (S19 mismatch:
  /// "memory, CPU or library fault").
  Status put(std::span<PutRequest> requests);
  /// One chunk.
  Result<PutResult> put(BlobType type, ByteView plain, const Predecessor& predecessor = {});

  /// True when `id` may be referenced without storing it again: it is there, and what it is a delta
  /// of is, too. Thread-safe.
  Result<bool> is_present(const ChunkId& id);
  /// True when packs that the index knows are missing from the store.
  bool has_lost_packs() const;

  /// Publishes what is pending, proves all references and writes the snapshot; fills session and
  /// committed_ns, and statistics of stored bytes. Errors: Corrupt (packs vanished), Unsupported
  /// (a newer program collects garbage here), NoSpace, Io.
  Result<SnapshotId> commit(Snapshot snapshot);

  /// Heartbeat and early index objects when they are due; call now and then in long runs.
  Status keep_alive();
  SessionTotals totals() const;
  const SessionId& id() const;

 private:
  WriteSession();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pagevault::repo
