// SQLite databases as sources of a backup: one read transaction each, or one instant for all.

#pragma once

#include <map>
#include <memory>
#include <string>

#include "database_source.h"
#include "snapshot_writer.h"
#include "source_walk.h"

namespace pagevault::engine {

/// Used by the thread of its writer, which outlives it and whose request has `databases`.
class DatabaseBackup {
 public:
  explicit DatabaseBackup(SnapshotWriter& writer) : writer_(writer) {}

  /// Transactions on all of the request's paths, none of which has seen a commit that another has
  /// not. Errors: Locked when no such instant was found; of the transactions.
  Status begin_together();

  enum class Outcome : std::uint8_t {
    Stored,
    Skipped,  ///< Could not be read; reported.
    AsFile,   ///< Is no database, or none that can be read, and wanted as the bytes of a file.
  };
  /// Adds the database at `item` to the tree. Errors: of the repository; Cancelled.
  Result<Outcome> store(WalkItem& item);

 private:
  Result<std::unique_ptr<sqlitesupport::ReadTransaction>> transaction_on(const std::string& path);
  void count(const repo::DatabaseRecord& record);
  Result<MappingResult> read(WalkItem& item);
  Result<MappingResult> map(DatabaseSource& database, const WalkItem& item, bool all);

  SnapshotWriter& writer_;
  // Begun together and not yet read, by path.
  std::map<std::string, std::unique_ptr<sqlitesupport::ReadTransaction>> begun_;
};

/// What the mapper is told of a file met by a walk; `trust`: its metadata is the parent's.
MappingInput mapping_input(SnapshotWriter& writer, const WalkItem& item, const FileInfo& info,
                           bool trust);

}  // namespace pagevault::engine
