// What every engine operation works with: an open repository, its loaded index and a reader.

#pragma once

#include <memory>
#include <string>

#include "pagevault/base/cancel_token.h"
#include "pagevault/repo/chunk_reader.h"
#include "pagevault/repo/covered_snapshots.h"
#include "pagevault/repo/index_loader.h"
#include "pagevault/repo/repository.h"

namespace pagevault::engine {

/// Not movable: parts point at each other. One operation at a time.
class Workspace {
 public:
  /// Opens the local cache under `cache_root` (empty: in memory) and loads the index. Warnings
  /// (cache unusable, damaged index objects) are in warnings(). `cancel`, which outlives it, stops
  /// operations instead of a token of its own.
  static Result<std::unique_ptr<Workspace>> open(std::unique_ptr<repo::Repository> repository,
                                                 const std::string& cache_root,
                                                 CancelToken* cancel = nullptr);

  /// Applies index objects written since open. Readers go against the order of durability: first
  /// the snapshots, then the index; so call it after snapshots were listed or read, or one that was
  /// committed in between seems to lack its chunks. Not while a WriteSession is open.
  Status refresh_index();

  const repo::Repository& repository() const { return *repository_; }
  Env& env() const { return repository_->env(); }
  repo::ChunkIndex& index() { return *cache_.index; }
  repo::ChunkReader& reader() { return reader_; }
  repo::CoveredSnapshots& covered() { return covered_; }
  const ClientId& client() const { return cache_.client; }
  /// Where the local cache lies; empty: in memory.
  const std::string& cache_folder() const { return cache_.folder; }
  const repo::IndexLoad& index_load() const { return load_; }
  const std::vector<std::string>& warnings() const { return warnings_; }
  CancelToken& cancel() { return *cancel_; }

 private:
  Workspace(std::unique_ptr<repo::Repository> repository, repo::LocalCache cache);

  std::unique_ptr<repo::Repository> repository_;
  repo::LocalCache cache_;
  repo::ChunkReader reader_;
  repo::CoveredSnapshots covered_;
  repo::IndexLoad load_;
  std::vector<std::string> warnings_;
  CancelToken own_cancel_;
  CancelToken* cancel_ = &own_cancel_;
};

}  // namespace pagevault::engine
