// Looks into snapshots: entries by path, directories in order, whole trees, differences.

#pragma once

#include <functional>
#include <string>
#include <vector>

#include "pagevault/engine/workspace.h"
#include "pagevault/repo/directory_entry.h"

namespace pagevault::engine {

/// Reads the bytes of a mapped stream of metadata chunks, piece by piece, in order.
class DirectoryReader {
 public:
  DirectoryReader(repo::ChunkReader& reader, repo::MapRoot map, std::uint64_t length);
  ~DirectoryReader();
  DirectoryReader(DirectoryReader&&) noexcept;
  /// The next entry in name order; nothing at the end.
  Result<std::optional<repo::Entry>> next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Extents of a mapped stream, span by span.
class MapReader {
 public:
  /// `reader` and `map` outlive it.
  MapReader(repo::ChunkReader& reader, const repo::MapRoot& map, std::uint64_t length);
  std::uint64_t spans() const;
  std::uint64_t span_length(std::uint64_t span) const;
  bool is_inline() const { return map_->form == repo::MapRoot::Form::Inline; }
  /// Id of the span's node; zero for a hole or an inline map.
  Result<ChunkId> node_id(std::uint64_t span);
  /// Extents of span `span`, holes filled in; they add up to the span's length (checked).
  Result<repo::SpanNode> span(std::uint64_t span);

 private:
  repo::ChunkReader* reader_;
  const repo::MapRoot* map_;
  std::uint64_t length_;
  std::uint64_t list_number_ = UINT64_MAX;
  std::vector<ChunkId> list_;
};

/// The root directory of a snapshot as an entry with an empty name.
repo::Entry root_entry(const repo::Snapshot& snapshot);

/// `path` with or without leading '/'; "" is the root. Errors: NotFound, InvalidArgument.
Result<repo::Entry> find_entry(Workspace& workspace, const repo::Snapshot& snapshot,
                               const std::string& path);

/// Return false to stay out of a directory.
using TreeVisitor = std::function<Result<bool>(const std::string& path, const repo::Entry& entry)>;
/// Visits everything below `top` (not `top` itself), depth first, in name order. Paths are
/// `prefix`/name/name.
Status walk_tree(Workspace& workspace, const repo::Entry& top, const std::string& prefix,
                 const TreeVisitor& visit);

struct Difference {
  enum class Kind : std::uint8_t { Added, Removed, Content, Metadata, Type };
  Kind kind;
  std::string path;
  std::uint64_t bytes_before = 0;
  std::uint64_t bytes_after = 0;
  /// What stands there, where the path is in both; for as long as the visit lasts.
  const repo::Entry* before = nullptr;
  const repo::Entry* after = nullptr;
};
/// Calls `visit` for each path that differs, in order.
Status diff_snapshots(Workspace& workspace, const repo::Snapshot& before,
                      const repo::Snapshot& after,
                      const std::function<Status(const Difference&)>& visit);

struct RepositoryStats {
  std::uint64_t snapshots = 0;
  std::uint64_t packs = 0;
  std::uint64_t pack_bytes = 0;
  std::uint64_t index_objects = 0;
  std::uint64_t index_bytes = 0;
  std::uint64_t chunks = 0;
  std::uint64_t chunk_bytes_plain = 0;
  std::uint64_t chunk_bytes_stored = 0;
  std::uint64_t source_bytes = 0;  ///< Sum over snapshots: what restoring all would write.
};
Result<RepositoryStats> collect_stats(Workspace& workspace);

/// `text`: id prefix (at least 4 digits), "latest", "latest~N", or an RFC 3339 time (the newest at
/// or before it). Errors: NotFound, InvalidArgument (ambiguous).
Result<repo::StoredSnapshot> find_snapshot(const repo::SnapshotListing& listing,
                                           const std::string& text);

}  // namespace pagevault::engine
