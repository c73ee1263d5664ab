// Fetches many extents at once: planned by pack and offset, near ones joined, read in one batch,
// decoded on any thread. What both restore and dump are made of.

#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "pagevault/engine/workspace.h"
#include "pagevault/repo/file_map.h"

namespace pagevault::engine {

/// Immutable after fetch; decode is thread-safe.
class ExtentBatch {
 public:
  /// Reads the stored bytes of `extents` (none of them holes). Failures stay with their extents.
  /// Memory: the stored bytes of all, and the gaps joined over.
  static std::shared_ptr<const ExtentBatch> fetch(Workspace& workspace,
                                                  std::vector<repo::Extent> extents);

  std::size_t size() const { return extents_.size(); }
  const repo::Extent& extent(std::size_t i) const { return extents_[i]; }

  /// Fills `out` (the extent's length) with its bytes, checked against its gate; against its
  /// chunk's id too with `verify_id`. Tries every other place of the chunk before it gives up.
  /// Errors: NotFound, Corrupt, AuthFailed, Io.
  Status decode(std::size_t i, MutableBytes out, bool verify_id) const;

 private:
  // One blob of the batch, and its sealed bytes once read.
  struct Blob {
    repo::BlobLocation where;
    std::size_t run = 0;
    std::size_t offset = 0;  // In its run.
  };
  struct Run {
    repo::ObjectName pack;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    Bytes bytes;
    Status status;
  };

  explicit ExtentBatch(Workspace& workspace) : workspace_(&workspace) {}
  void locate();
  void plan_runs();
  void read_runs();
  Status decode_planned(const Blob& blob, const repo::Extent& extent, MutableBytes out,
                        bool verify_id) const;
  Status decode_elsewhere(const repo::Extent& extent, MutableBytes out) const;
  Status check_gate(const repo::Extent& extent, ByteView bytes) const;

  Workspace* workspace_;
  std::vector<repo::Extent> extents_;
  std::vector<Blob> blobs_;
  std::unordered_map<ChunkId, std::size_t> blob_of_;
  std::vector<Run> runs_;
};

}  // namespace pagevault::engine
