// One file being restored: written under a temporary name, shown under its own when complete; or
// one that is there already and is changed in place.

#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "database_leftovers.h"
#include "map_builder.h"
#include "pagevault/base/env.h"
#include "pagevault/engine/restore.h"
#include "pagevault/repo/directory_entry.h"
#include "restore_place.h"

namespace pagevault::engine {

/// Shared by the restoring thread and the tasks that write to it.
class OutputFile {
 public:
  /// What a file is made with; both outlive it.
  struct Parts {
    Completion& completion;
    DatabaseLeftovers& leftovers;
  };
  /// Creates the temporary file with the entry's size. Errors: of the target.
  static Result<std::shared_ptr<OutputFile>> create(Env& env, RestorePlace place, repo::Entry entry,
                                                    const Parts& parts);
  /// The file that stands at `place` already. Nothing is opened before begin_writing.
  static std::shared_ptr<OutputFile> in_place(RestorePlace place, repo::Entry entry,
                                              const Parts& parts);
  /// Removes the temporary file unless it was published, or is all there is left.
  ~OutputFile();

  const repo::Entry& entry() const { return entry_; }
  const RestorePlace& place() const { return place_; }
  /// In place only after begin_writing.
  File& file() { return *file_; }
  bool is_in_place() const { return temporary_.empty(); }
  /// In place: something may have been written.
  bool is_open() const { return file_ != nullptr; }

  /// In place: opens the file, which must still be the one that `there` describes, takes it away
  /// from everybody but its owner until its metadata is set, removes a database's leftovers and
  /// gives it the entry's size. Errors: Locked; of the target.
  Status begin_writing(const FileInfo& there);

  void begin_part() { open_.fetch_add(1, std::memory_order_relaxed); }
  void end_part();
  bool done() const { return open_.load(std::memory_order_acquire) == 0; }

  /// From any thread.
  void add_problem(std::uint64_t offset, std::uint64_t length, const Error& error);
  void fail_target(const Error& error);

  /// After done(). What could not be restored, ascending.
  std::vector<RestoreProblem> problems();
  std::optional<Error> target_failure();
  enum class Durability : std::uint8_t { Whenever, Now };
  /// After done(): what close must promise for publish to be safe (database_leftovers.h).
  Result<Durability> durability_needed();
  /// After done(): nothing more is written.
  Status close(Durability durability);
  /// Gives the closed file its name: `NAME`, or `NAME.pv-damaged` when there are problems. Replaces
  /// what is there, leftovers of a database too. Errors: Locked; of the target.
  Status publish();
  /// Its name until it is published.
  const std::string& working_name() const { return is_in_place() ? place_.name : temporary_; }

 private:
  OutputFile(RestorePlace place, repo::Entry entry, const Parts& parts);
  std::string final_name();
  Status take_name(const std::string& name);

  RestorePlace place_;
  repo::Entry entry_;
  Completion* completion_;
  DatabaseLeftovers* leftovers_;
  std::string temporary_;
  std::unique_ptr<File> file_;
  bool keep_ = false;  // Published, or the old content may be worse than ours.
  std::atomic<std::size_t> open_{1};
  std::mutex mutex_;
  std::vector<RestoreProblem> problems_;  // Guarded by mutex_.
  std::optional<Error> target_failure_;   // Guarded by mutex_.
};

}  // namespace pagevault::engine
