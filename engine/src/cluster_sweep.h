// Takes away what an old data directory has and the snapshot has not: relation files or WAL of
// another time would be taken for part of the cluster.

#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "pagevault/engine/tree.h"
#include "restore_outcome.h"

namespace pagevault::engine {

/// Of the restoring thread. Never follows a link: of one it removes the link.
class ClusterSweep {
 public:
  enum class Mode : std::uint8_t { Remove, OnlyTell };
  /// `kept` stays whatever the snapshot has; `left_out` counts as not in the snapshot. Paths in it.
  struct Rules {
    std::set<std::string> kept;
    std::set<std::string> left_out;
  };
  /// All outlive it.
  ClusterSweep(Workspace& workspace, RestoreOutcome& outcome, const Rules& rules, Mode mode)
      : workspace_(workspace), outcome_(outcome), rules_(rules), mode_(mode) {}

  /// Which names right below `dir` may go; below them all may.
  enum class Top : std::uint8_t { All, OnlyThoseOfSnapshot };
  /// `dir` is where the folder `entry`, at `path` in the snapshot, goes. What cannot be removed is
  /// reported, and the rest goes on. Errors: what ends the restore.
  Status sweep(std::shared_ptr<Dir> dir, repo::Entry entry, std::string path, Top top);
  /// Removes `name`, with all that is in it; ok when there is none. `path` is told. Errors: of the
  /// target.
  Status remove(Dir& dir, const std::string& name, const std::string& path);

 private:
  struct Folder {
    std::shared_ptr<Dir> above;  // Shared by its folders. Null: `dir` is open.
    std::shared_ptr<Dir> dir;
    repo::Entry entry;
    std::string path;
    Top top = Top::All;
  };
  Status sweep_folder(const Folder& folder);
  Status sweep_name(const Folder& folder, const std::string& name, const repo::Entry* wanted);

  Workspace& workspace_;
  RestoreOutcome& outcome_;
  const Rules& rules_;
  Mode mode_;
  std::vector<Folder> todo_;
};

}  // namespace pagevault::engine
