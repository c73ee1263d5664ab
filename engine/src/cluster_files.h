// Stores the files of a base backup as they come in: whole, or as the parent's version with the
// blocks of an incremental over it.

#pragma once

#include "byte_stream.h"
#include "cluster_check.h"
#include "cluster_input.h"
#include "cluster_tree.h"
#include "parent_tree.h"
#include "snapshot_writer.h"

namespace pagevault::engine {

/// Used by the backup's thread.
class ClusterFiles {
 public:
  /// All outlive it.
  struct Parts {
    SnapshotWriter& writer;
    ClusterInput& input;
    ClusterTree& tree;
    ParentTree& parent;
    ClusterCheck& check;
    pgsupport::RelationGeometry geometry;
    pgsupport::ChecksumAlgorithm algorithm;
  };
  struct Totals {
    std::uint64_t blocks_changed = 0;
    std::uint64_t taken_over = 0;
  };

  explicit ClusterFiles(const Parts& parts) : parts_(parts) {}

  /// The file that the input gave last, as it is.
  Status store_whole(ClusterMember member);
  /// The same file applied to the parent's version of `relation_path`. Errors: WrongParent when
  /// there is none; Corrupt.
  Status store_incremental(ClusterMember member, const std::string& relation_path);
  /// Its bytes, checked like those of every file. Errors: Corrupt when it is longer than
  /// `bytes_max`.
  Result<Bytes> read_whole(const ClusterMember& member, std::uint64_t bytes_max);
  /// Reads and checks it, and keeps nothing.
  Status pass_by(const ClusterMember& member);
  /// A file with these bytes, which need not be what came in.
  Status store_bytes(const std::string& path, repo::Entry entry, ByteView bytes);
  /// A relation file that `read` gives, of any length; not added to the tree.
  struct Stored {
    repo::Entry entry;
    std::shared_ptr<MapBuilder> map;
  };
  Result<Stored> store_relation(const std::string& path, const StreamSource& read);

  const Totals& totals() const { return totals_; }

 private:
  Result<std::optional<ParentFile>> parent_file(const std::string& path);
  std::optional<PageCheck> page_check(const std::string& path) const;
  Status take_over(const std::string& path, repo::Entry entry, const repo::Entry& parent);
  Result<std::shared_ptr<MapBuilder>> map_update(const repo::Entry& parent,
                                                 const pgsupport::IncrementalHeader& header,
                                                 ByteStream& images, PageCheck& pages);

  const Parts parts_;
  Totals totals_;
};

}  // namespace pagevault::engine
