// The files of a restore: new ones are written under a temporary name, with `delta` those that are
// there are compared and changed in place; each is finished in order of the walk when all its parts
// are written.

#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "database_leftovers.h"
#include "hard_links.h"
#include "in_place_update.h"
#include "restore_metadata.h"
#include "restore_outcome.h"
#include "restore_window.h"

namespace pagevault::engine {

/// Of the restoring thread. What it is made with outlives it.
class FileRestore {
 public:
  using Durability = OutputFile::Durability;
  struct Options {
    /// What holds of every file, at least, before it has its name.
    Durability durability = Durability::Whenever;
    /// The caller syncs all of them at the end.
    bool past_cache = false;
  };
  FileRestore(Workspace& workspace, const RestoreRequest& request, RestoreOutcome& outcome,
              const Options& options);
  ~FileRestore();

  /// One regular file; `place` has no directory in a dry run that finds none. Errors: what ends the
  /// restore; all others are reported.
  Status restore(RestorePlace place, repo::Entry entry);
  /// Runs `then` when everything before is finished.
  void afterwards(std::function<void()> then) { pending_.push_back({nullptr, std::move(then)}); }
  /// Waits for everything, then makes the further names; `target` is where the folder `top` of the
  /// snapshot goes.
  Status finish(const std::shared_ptr<Dir>& target, const std::string& top);

  void set_metadata(Dir& dir, const std::string& name, const repo::Entry& entry);

 private:
  using FilePointer = std::shared_ptr<OutputFile>;  // Shared with the tasks that write to it.

  Status restore_regular(RestorePlace place, repo::Entry entry);
  Status create(RestorePlace place, repo::Entry entry);
  Status update(RestorePlace place, repo::Entry entry, ExistingFile existing);
  Result<std::unique_ptr<InPlaceUpdate>> begin_update(const FilePointer& file,
                                                      ExistingFile existing);
  Status schedule(const FilePointer& file, InPlaceUpdate* update);
  Status reserve(File& file, std::uint64_t begin, const repo::SpanNode& node) const;
  Result<bool> is_wanted(std::uint64_t offset, const repo::Extent& extent, InPlaceUpdate* update);
  Status want(const FilePointer& file, std::uint64_t offset, const repo::Extent& extent);
  Status flush_window();
  Status complete(const FilePointer& file);
  Status settle(std::size_t leave_pending);
  Status finish_file(OutputFile& file);
  Status publish(OutputFile& file);
  Status inspect(const OutputFile& file);
  Status make_link(const HardLinks::Link& link, const std::shared_ptr<Dir>& target,
                   const std::string& top);
  void make_links(const std::shared_ptr<Dir>& target, const std::string& top);
  SpecialBits special_bits() const;
  OutputFile::Parts parts() { return {.completion = completion_, .leftovers = leftovers_}; }

  // What existing files are read through; made when the first one is compared.
  struct TargetReading;
  // What happens in order of the walk, once files before it are complete.
  struct Pending {
    FilePointer file;            // A file to finish; or
    std::function<void()> then;  // something to do.
  };

  Workspace& workspace_;
  const RestoreRequest& request_;
  RestoreOutcome& outcome_;
  const Options options_;
  std::unique_ptr<TargetReading> target_reading_;
  HardLinks links_;
  std::deque<Pending> pending_;
  Completion completion_;
  DatabaseLeftovers leftovers_;
  RestoreWindow window_;  // Last: its tasks use what stands above.
};

}  // namespace pagevault::engine
