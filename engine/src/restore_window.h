// The extents a restore wants next: gathered, fetched in one planned batch, decoded and written by
// workers while the next ones are gathered.

#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "extent_batch.h"
#include "output_file.h"

namespace pagevault::engine {

/// Who fetches a window.
enum class FetchBy : std::uint8_t {
  Caller,  ///< Who gathers has nothing else to do: windows of 24 MiB, planned as one sweep.
  Worker,  ///< Who gathers compares meanwhile: windows of 4 MiB, fetched, decoded and written by
           ///< one.
};

/// One thread gathers. Memory: about three windows of 24 MiB or one of 4 MiB for each worker (and
/// the gaps joined over), however large the files.
class RestoreWindow {
 public:
  struct Options {
    bool verify = false;  ///< Hash every chunk against its id.
    FetchBy fetch_by = FetchBy::Caller;
    /// What is restored is synced at the end: it need not pass through the page cache.
    bool past_cache = false;
  };
  /// `workspace`, and the completion of the files, outlive it.
  RestoreWindow(Workspace& workspace, Options options);

  /// The bytes of `extent` (not a hole) shall stand at `offset` of `file`.
  void want(const std::shared_ptr<OutputFile>& file, std::uint64_t offset,
            const repo::Extent& extent);
  bool full() const;
  /// Hands what is wanted to the workers. Waits only while their queue is full.
  void flush();

  std::uint64_t bytes_written() const { return written_.load(std::memory_order_relaxed); }

 private:
  // Extents that lie one behind the other in one file: decoded into one buffer, written at once.
  struct Group {
    std::shared_ptr<OutputFile> file;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    std::size_t first = 0;  // In the batch.
    std::size_t count = 0;
  };
  struct GroupTask;
  GroupTask task_of(std::shared_ptr<const ExtentBatch> batch, Group group);

  Workspace& workspace_;
  const Options options_;
  std::vector<repo::Extent> extents_;
  std::vector<Group> groups_;
  std::uint64_t bytes_ = 0;
  std::atomic<std::uint64_t> written_{0};
  std::unique_ptr<Executor> workers_;  // Last: its tasks use what stands above.
};

}  // namespace pagevault::engine
