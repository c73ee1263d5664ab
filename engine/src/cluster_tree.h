// The tree of a PostgreSQL cluster's snapshot, put together from files in any order and written at
// the end: base backups bring files as directories list them, not by name.

#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>

#include "directory_writer.h"
#include "map_builder.h"
#include "parent_tree.h"

namespace pagevault::engine {

/// Holds every entry until the end: some 400 bytes each. Not thread-safe.
class ClusterTree {
 public:
  /// All outlive it.
  ClusterTree(repo::ChunkReader& reader, Completion& completion)
      : reader_(&reader), completion_(&completion) {}

  /// The last component of `path` becomes the entry's name; folders above that were not added get
  /// an entry like their first file's, of mode 0700. Errors: Corrupt when the path is there already
  /// or lies below a file.
  Status add(const std::string& path, repo::Entry entry);
  /// A file whose map is being finished by workers. Without entry.crc32c it is worked out from the
  /// map.
  Status add_file(const std::string& path, repo::Entry entry, std::shared_ptr<MapBuilder> map);
  bool contains(const std::string& path) const { return find(path) != nullptr; }
  /// Null when there is none or it is still being stored.
  const repo::Entry* find(const std::string& path) const;

  /// Waits until all maps are finished. Errors: of storing them.
  Status settle();
  /// After settle(): every regular file, by path, in order of the tree.
  Status visit_files(
      const std::function<Status(const std::string& path, const repo::Entry& entry)>& visit) const;
  /// After settle(): writes everything. `parent`: the earlier version, for the directories' deltas.
  Status write(TreeWriter& writer, repo::Entry root, ParentTree& parent) const;

 private:
  struct Node {
    repo::Entry entry;
    bool is_known = false;  // Was added, not only passed through.
    std::map<std::string, std::unique_ptr<Node>> children;
  };
  struct Pending {
    Node* node;
    std::shared_ptr<MapBuilder> map;  // Shared with the tasks that fill it.
  };

  Result<Node*> make(const std::string& path, const repo::Entry& like);
  Status settle_down_to(std::size_t leave);
  Status finish_file(const Pending& done);

  repo::ChunkReader* reader_;
  Completion* completion_;
  Node root_;
  std::deque<Pending> pending_;
};

}  // namespace pagevault::engine
