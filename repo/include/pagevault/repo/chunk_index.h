// ChunkId -> where it lies: a rebuildable cache of all index objects (I9). A hit is a hint that
// is proved against the store at commit (I6).

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pagevault/base/env.h"
#include "pagevault/repo/index_object.h"

namespace pagevault::repo {

/// Thread-safe for look-ups; apply from one thread at a time.
class ChunkIndex {
 public:
  virtual ~ChunkIndex() = default;
  ChunkIndex(const ChunkIndex&) = delete;
  ChunkIndex& operator=(const ChunkIndex&) = delete;

  /// Every known place of `id`, oldest first; several when writers raced or a lost pack's chunks
  /// were stored again. Empty when unknown. Errors: Corrupt, Io (the cache is broken: reset it).
  virtual Result<std::vector<BlobLocation>> find(const ChunkId& id) = 0;
  /// True when at least one place is known; cheaper than find.
  virtual Result<bool> contains(const ChunkId& id) = 0;

  /// Adds an index object, all of it or nothing; a second time is a no-op.
  virtual Status apply(const IndexId& id, const IndexObject& object) = 0;
  /// Some object that was applied names this pack.
  virtual Result<bool> knows_pack(const PackId& id) = 0;
  /// Ids applied so far.
  virtual Result<std::set<IndexId>> applied() = 0;
  /// Calls `visit` for every pack known.
  virtual Status for_each_pack(const std::function<void(const PackInfo&)>& visit) = 0;
  /// Calls `visit` for every (chunk, location); order unspecified. For check and statistics.
  virtual Status for_each_blob(const std::function<void(const BlobLocation&)>& visit) = 0;
  /// Forgets everything.
  virtual Status reset() = 0;
  /// Makes what was applied survive a restart; best effort, the cache is a hint.
  virtual Status flush() = 0;

 protected:
  ChunkIndex() = default;
};

/// In memory: for the simulator, small tools, and when no cache folder can be written.
std::unique_ptr<ChunkIndex> make_memory_index();

/// RocksDB in a folder of this client, never on the share. One process at a time owns a folder:
/// Locked when another does (callers then try the next slot). A broken or foreign database is
/// erased and begun anew (F5.8, F5.9). `label` binds it to one repository id.
/// Memory: block cache + memtables + filters stay below `memory_max`.
struct RocksIndexOptions {
  std::string folder;
  std::string label;
  std::uint64_t memory_max = 160 * kMiB;
};
Result<std::unique_ptr<ChunkIndex>> open_rocks_index(const RocksIndexOptions& options);

/// `below`, with the latest small index objects beside it in memory and in one file of `folder`,
/// which becomes durable with one sync. `below` takes them when there are many, so that a small
/// backup need not open it for writing. Whoever owns `below` owns the file.
/// Errors: Io when what is in the folder can neither be read nor be begun anew.
Result<std::unique_ptr<ChunkIndex>> open_recent_index(Env& env, const std::string& folder,
                                                      std::unique_ptr<ChunkIndex> below);

}  // namespace pagevault::repo
