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

#include "pagevault/repo/chunk_codec.h"
#include "pagevault/repo/index_loader.h"

namespace pagevault::repo {

struct PutResult {
  ChunkId id;
  bool is_new = false;
};

struct SessionTotals {
  std::uint64_t chunks_new = 0;
  std::uint64_t bytes_new = 0;          ///< Plain.
  std::uint64_t bytes_stored_data = 0;  ///< Sealed.
  std::uint64_t bytes_stored_meta = 0;
};

class WriteSession {
 public:
  struct Options {
    Compression compression = Compression::Auto;
    bool extra_verify = true;  ///< Decode and compare before publishing (S19).
    bool dry_run = false;      ///< Compute everything, write nothing; commit is refused.
  };
  /// Announces the session in the store and lists its packs. `index` was loaded.
  static Result<std::unique_ptr<WriteSession>> begin(const Repository& repository,
                                                     ChunkIndex& index, const Options& options);
  /// Withdraws the announcement, best effort. What was published stays for a later run.
  ~WriteSession();

  /// Stores a chunk unless it is there. Thread-safe. Errors: NoSpace, Io, Corrupt (S19 mismatch:
  /// "memory, CPU or library fault").
  Result<PutResult> put(BlobType type, ByteView plain);

  /// True when `id` may be referenced without storing it again. Thread-safe.
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
