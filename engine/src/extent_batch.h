// Fetches many extents at once and decodes them on any thread. What both restore and dump are made
// of.

#pragma once

#include <memory>
#include <vector>

#include "pagevault/engine/workspace.h"
#include "pagevault/repo/blob_batch.h"
#include "pagevault/repo/file_map.h"

namespace pagevault::engine {

/// Immutable after fetch; decode is thread-safe.
class ExtentBatch {
 public:
  /// Reads the stored bytes of `extents` (none of them holes). Failures stay with their extents.
  /// Memory: as for BlobBatch.
  static std::shared_ptr<const ExtentBatch> fetch(Workspace& workspace,
                                                  std::vector<repo::Extent> extents);

  std::size_t size() const { return extents_.size(); }
  const repo::Extent& extent(std::size_t i) const { return extents_[i]; }

  /// Fills `out` (the extent's length) with its bytes, checked against its gate; against its
  /// chunk's id too with `verify_id`. Tries every other place of the chunk before it gives up.
  /// Errors: NotFound, Corrupt, AuthFailed, Io.
  Status decode(std::size_t i, MutableBytes out, bool verify_id) const;
  /// The same without ids; the chunk's bytes are kept for a while where a delta of it may follow
  /// (ChunkReader::decode_base), so that it is read and decoded once.
  Status decode_for_update(std::size_t i, MutableBytes out) const;

 private:
  ExtentBatch(Workspace& workspace, std::vector<repo::Extent> extents)
      : workspace_(&workspace), extents_(std::move(extents)) {}
  std::vector<repo::BlobLocation> locate() const;
  Status decode_planned(const repo::Extent& extent, MutableBytes out, bool verify_id) const;
  Status decode_elsewhere(const repo::Extent& extent, MutableBytes out) const;
  Status check_gate(const repo::Extent& extent, ByteView bytes) const;

  Workspace* workspace_;
  std::vector<repo::Extent> extents_;
  std::shared_ptr<const repo::BlobBatch> blobs_;
};

}  // namespace pagevault::engine
