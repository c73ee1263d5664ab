// Brings a file that is at the target already to a snapshot's state: compares it with the extents
// of the snapshot and opens it for writing when the first one differs. What `restore --delta` is.

#pragma once

#include <memory>
#include <vector>

#include "output_file.h"
#include "pagevault/engine/restore.h"
#include "pagevault/engine/workspace.h"
#include "target_reader.h"

namespace pagevault::engine {

/// What an update is made with; all outlive it.
struct UpdateParts {
  Workspace& workspace;
  IoQueue& queue;  ///< Of one update at a time.
  BlockPool& pool;
  bool verify = false;    ///< Equal means the same cryptographic hash, not only the same gate.
  bool dry_run = false;   ///< Compare, write nothing.
  RestoreReport& report;  ///< Bytes compared, equal and zeroed are counted here.
};

/// What a file at the target is known by, as long as it is the same.
struct ExistingFile {
  std::unique_ptr<File> file;  ///< For reading.
  FileInfo info;
};
/// The file `name`, when it may be written in place: a regular file with this one name (another one
/// would be changed with it) that can be read. No file when it may not: it is restored as if
/// nothing were there. Errors: of the target.
Result<ExistingFile> open_existing(Dir& dir, const std::string& name);

/// One file. Extents are handed over in order of the file, by one thread.
class InPlaceUpdate {
 public:
  /// Errors: of the target.
  static Result<std::unique_ptr<InPlaceUpdate>> create(const UpdateParts& parts,
                                                       ExistingFile existing,
                                                       std::shared_ptr<OutputFile> file);

  /// True when the bytes of `extent` have to be fetched and written at `offset`: the file is open
  /// for writing then. A hole becomes one here. Errors: of the target.
  Result<bool> differs(std::uint64_t offset, const repo::Extent& extent);
  /// After the last extent: gives the file its length. Errors: of the target.
  Status finish();

  /// Something differs.
  bool changed() const { return changed_; }

 private:
  InPlaceUpdate(const UpdateParts& parts, FileInfo there, std::shared_ptr<OutputFile> file)
      : parts_(parts), there_(there), file_(std::move(file)) {}
  Result<bool> holds(std::uint64_t offset, const repo::Extent& extent);
  Status clear(ByteRange range);
  Status zero(ByteRange range);
  Status begin_change();
  void count_reads();

  const UpdateParts parts_;
  const FileInfo there_;
  std::shared_ptr<OutputFile> file_;  // Shared with the tasks that write to it.
  std::unique_ptr<TargetReader> reader_;
  std::uint64_t bytes_counted_ = 0;  // Of those read.
  bool changed_ = false;
};

}  // namespace pagevault::engine
