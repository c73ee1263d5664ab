// The bytes of files in order, to a sink: extents are decoded on all processors, then handed over
// one piece after the other.

#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "extent_batch.h"
#include "pagevault/repo/directory_entry.h"

namespace pagevault::engine {

/// Of one thread.
class PieceWriter {
 public:
  using Sink = std::function<Status(ByteView)>;
  /// Both outlive it.
  PieceWriter(Workspace& workspace, const Sink& sink);

  /// Writes all bytes of a regular file. Errors name `path`: Corrupt and AuthFailed with the byte
  /// range; of the sink.
  Status write(const repo::Entry& file, const std::string& path);

 private:
  struct Failure {
    std::uint64_t offset;
    std::uint64_t length;
    Error error;
  };
  Status add(const repo::Extent& extent);
  Status flush();
  void decode(const ExtentBatch& batch, std::size_t i, MutableBytes out, std::uint64_t at);
  Status zeros(std::uint64_t length);

  Workspace& workspace_;
  const Sink& sink_;
  std::vector<repo::Extent> extents_;
  std::uint64_t bytes_ = 0;
  std::uint64_t offset_ = 0;  // Of the piece in the file.
  Bytes piece_;
  std::mutex mutex_;
  std::optional<Failure> failure_;  // Guarded by mutex_ while workers run.
  std::unique_ptr<Executor> workers_;
};

}  // namespace pagevault::engine
