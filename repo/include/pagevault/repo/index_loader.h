// Brings a ChunkIndex up to date with the store's index objects, and finds the packs that are gone.

#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "pagevault/repo/chunk_index.h"
#include "pagevault/repo/repository.h"

namespace pagevault::repo {

/// A cache folder of this client, locked by this process, and the client id that lives in it.
struct LocalCache {
  std::unique_ptr<ChunkIndex> index;
  ClientId client;
  std::string folder;   ///< Empty: in memory only.
  std::string warning;  ///< Why a disk cache could not be used, if so.
};

/// Opens the first free slot `<cache_root>/<repository id>/<0..7>`; several processes of one host
/// get a slot each, so that each has its own client id and none waits. Falls back to memory with a
/// warning when no folder can be written (F5.9). `cache_root` empty: memory.
LocalCache open_local_cache(const Repository& repository, const std::string& cache_root);

struct IndexLoad {
  std::uint64_t objects = 0;
  std::uint64_t applied = 0;  ///< New ones, read and applied now.
  bool rebuilt = false;       ///< The cache was ahead of the store or broken and was begun anew.
  bool from_scratch = false;  ///< Nothing had been applied before.
  struct Damaged {
    ObjectName name;
    Error error;
  };
  std::vector<Damaged> damaged;

  /// False when `index` may know less than it did before the load: what was proved with the old one
  /// must be proved again.
  bool keeps_what_was_known() const { return !rebuilt && !from_scratch && damaged.empty(); }
};

/// Applies every index object of the store that `index` lacks. If `index` knows objects that the
/// store has not, it is reset first (F5.8). Damaged objects are reported, not fatal: what they
/// listed is missing until `repair index`.
Result<IndexLoad> load_index(const Repository& repository, ChunkIndex& index);

/// Packs present in the store: id -> length.
using PackPresence = std::unordered_map<PackId, std::uint64_t>;
Result<PackPresence> list_packs(const Repository& repository);

/// Packs that `index` knows and that are not in the store with the length they should have.
/// Errors: as of the store; the repository is broken when a folder is missing (I7).
Result<std::vector<PackInfo>> missing_packs(const Repository& repository, ChunkIndex& index);

/// Reads the directory of every pack that no index object names and writes index objects for them;
/// with `all`, for every pack (when index objects are damaged or lost). Never deletes (I10).
struct IndexRepair {
  std::uint64_t packs_read = 0;
  std::uint64_t packs_added = 0;
  std::uint64_t index_objects_written = 0;
  std::vector<IndexLoad::Damaged> damaged;  ///< Packs whose directory cannot be read.
};
Result<IndexRepair> repair_index(const Repository& repository, ChunkIndex& index);

}  // namespace pagevault::repo
