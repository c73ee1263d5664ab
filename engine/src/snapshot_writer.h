// One snapshot being taken: the session, its workers, the mapper, the tree, and the counting that
// all kinds of backup share. Who takes one says what is read; docs/architecture.md, "Backup".

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "directory_writer.h"
#include "file_mapper.h"
#include "pagevault/engine/backup.h"

namespace pagevault::engine {

/// Of the thread that runs the backup. list(), begin(), then everything between, finish().
class SnapshotWriter {
 public:
  /// All outlive it.
  SnapshotWriter(Workspace& workspace, const BackupRequest& request, BackupObserver& observer);

  // Passes.

  /// Reads the snapshots there are; damaged ones are warned of.
  Status list();
  const repo::SnapshotListing& listing() const { return listing_; }
  /// Announces the session; what is stored from here on may refer to `parent`.
  Status begin(std::optional<repo::StoredSnapshot> parent);
  /// Finishes the tree and commits, unless this is a dry run.
  Status finish();

  // What is between begin() and finish().

  Workspace& workspace() { return workspace_; }
  const BackupRequest& request() const { return request_; }
  BackupObserver& observer() { return observer_; }
  repo::WriteSession& session() { return *session_; }
  Executor& workers() { return *workers_; }
  Completion& completion() { return completion_; }
  FileMapper& mapper() { return *mapper_; }
  TreeWriter& tree() { return *tree_; }
  repo::Snapshot& snapshot() { return snapshot_; }
  BackupReport& report() { return report_; }
  BackupProgress& progress() { return progress_; }
  const std::optional<repo::StoredSnapshot>& parent() const { return parent_; }
  /// The parent's references are to be looked up before they are taken over (I6).
  bool proves_references() const { return prove_references_; }

  /// What "unchanged" extents are hashed this time (S10).
  bool audited(const std::string& path, std::uint64_t span) const;
  bool any_audited(const std::string& path, std::uint64_t size) const;

  /// What a dictionary may be made of: so much of this file.
  struct Samples {
    File* file;  ///< Null: none can be made, but an earlier version's may serve.
    std::uint64_t length;
  };
  /// Before `bytes` bytes are read. Where nothing changed nothing is, and touching all this memory
  /// would take as long as looking at a thousand files.
  void prepare_reading(std::uint64_t bytes);
  BlockPool& pool() { return *pool_; }  ///< After prepare_reading.
  IoQueue& queue() { return *queue_; }  ///< After prepare_reading.
  using OpenSource = std::function<std::unique_ptr<BlockSource>()>;
  /// `open` makes the source of input.data, when there is a pool to read into. Without samples no
  /// dictionary is made.
  Result<MappingResult> map_bytes(MappingInput& input, const std::optional<Samples>& samples,
                                  const OpenSource& open);

  void count_file(const repo::Entry& entry, const repo::Entry* parent);
  void on_error(const std::string& path, const Error& error);
  /// Reports what a source did and goes on; what the repository or the user did ends the run
  /// (F8.2).
  Status skip_source(const std::string& path, const Error& error);
  /// Between extents and files: stop when asked to, stay alive in the store, show progress.
  Status tick(std::uint64_t bytes);

 private:
  Workspace& workspace_;
  const BackupRequest& request_;
  BackupObserver& observer_;

  repo::SnapshotListing listing_;
  std::optional<repo::StoredSnapshot> parent_;
  repo::Snapshot snapshot_;
  BackupReport report_;
  BackupProgress progress_;
  std::int64_t last_progress_ns_ = 0;
  unsigned ticks_ = 0;
  bool prove_references_ = true;
  bool arena_registered_ = false;
  bool audit_due_ = true;
  std::optional<Error> repository_failure_;  // Met between extents; never a source's fault (F8.2).

  // Destroyed in reverse: workers drain first, what their tasks use dies after.
  std::optional<BlockPool> pool_;  // Made with the queue, when something is first read.
  Completion completion_;
  std::unique_ptr<repo::WriteSession> session_;
  std::unique_ptr<IoQueue> queue_;
  std::unique_ptr<Executor> workers_;
  std::optional<FileMapper> mapper_;
  std::optional<chunker::StreamChunker> tree_chunker_;
  std::optional<TreeWriter> tree_;
};

/// Spans that a file of `size` bytes has.
std::uint64_t spans_of(std::uint64_t size);

/// A file that changed so shortly before `now_ns` that it may change again without a trace.
bool is_racy(const FileInfo& info, std::int64_t now_ns);

}  // namespace pagevault::engine
