// Walks the sources of a backup in the order of the snapshot's tree (depth first, names ascending
// bytewise), beside the parent snapshot's tree.

#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pagevault/engine/tree.h"

namespace pagevault::engine {

/// A PostgreSQL data directory above a file.
struct DataDirectory {
  std::string path;
  std::uint32_t block_size = 0;
};

/// One thing met.
struct WalkItem {
  std::string path;
  repo::Entry entry;                    ///< Without map.
  const repo::Entry* parent = nullptr;  ///< The parent snapshot's entry of that name, if any.
  Dir* dir = nullptr;                   ///< Holds `entry.name`; for files.
  const DataDirectory* data_directory = nullptr;
};

/// Errors returned by these end the walk; errors of sources go to on_error and do not.
class WalkVisitor {
 public:
  virtual ~WalkVisitor() = default;
  virtual Status enter_directory(WalkItem item) = 0;
  virtual Status leave_directory() = 0;
  virtual Status on_file(WalkItem item) = 0;
  /// Links, devices, FIFOs, sockets.
  virtual Status on_other(WalkItem item) = 0;
  virtual void on_error(const std::string& path, const Error& error) = 0;
};

class SourceWalk {
 public:
  struct Options {
    std::vector<std::string> paths;  ///< Absolute and lexically normal.
    std::vector<std::string> excludes;
    std::optional<repo::Entry> parent_root;
    bool sizes_only = false;  ///< Entries without owners' names, attributes and link targets.
  };
  /// All outlive the walk.
  SourceWalk(Env& env, repo::ChunkReader& reader, const Options& options, WalkVisitor& visitor);
  ~SourceWalk();

  Status run();

 private:
  struct Target;
  struct Frame;
  class ParentCursor;

  void add_target(const std::string& path);
  Status push_directory(WalkItem item, std::unique_ptr<Dir> dir, const Target* target,
                        const DataDirectory* above);
  Status step(Frame& frame);
  Status step_towards_targets(Frame& frame, const std::string& name, const Target& target);
  Status visit(Frame& frame, const std::string& name);
  Result<repo::Entry> describe(Dir& dir, const std::string& name, const FileInfo& info);
  std::optional<std::vector<std::string>> names_in(Dir& dir, const std::string& path);
  void detect_data_directory(Frame& frame);
  const repo::Entry* parent_of(Frame& frame, const std::string& name);

  Env* env_;
  repo::ChunkReader* reader_;
  const Options* options_;
  WalkVisitor* visitor_;
  std::unique_ptr<Target> targets_;
  std::vector<std::unique_ptr<Frame>> frames_;
};

}  // namespace pagevault::engine
