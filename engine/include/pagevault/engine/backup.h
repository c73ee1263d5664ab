// Takes snapshots of files and streams. docs/architecture.md, "Backup".

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pagevault/engine/workspace.h"
#include "pagevault/repo/chunk_codec.h"
#include "pagevault/repo/delta_policy.h"

namespace pagevault::sqlitesupport {
class TransactionSource;
}  // namespace pagevault::sqlitesupport

namespace pagevault::pgsupport {
class PostgresServer;
}  // namespace pagevault::pgsupport

namespace pagevault::engine {

/// Reads the next bytes of a stream into `out`; 0 at its end.
using StreamSource = std::function<Result<std::size_t>(MutableBytes out)>;

/// How the paths of a backup are read when they are SQLite databases.
struct DatabaseOptions {
  /// Begins a read transaction on each. Outlives the backup; used by its thread only.
  sqlitesupport::TransactionSource* transactions = nullptr;
  /// All at one instant: every transaction is begun before anything is read.
  bool together = false;
  /// What is no database, or none that can be read, is stored as the bytes of the file.
  bool as_file = false;
};

/// Where a base backup of a PostgreSQL cluster comes from: one of the first three.
struct PostgresOptions {
  std::string directory;  ///< Absolute: a plain base backup, or one in tar archives.
  StreamSource archive;   ///< One tar with everything in it, the manifest too.
  pgsupport::PostgresServer* server = nullptr;  ///< Outlives the backup; used by its thread only.

  /// Damage that is found (pages, files against the manifest) is recorded instead of refused.
  bool accept_damaged = false;
  bool accept_no_manifest = false;
  /// With `archive`, whose manifest comes last: the algorithm in it, as manifests name it.
  std::string manifest_checksums = "CRC32C";
  /// Folder of WAL summary files of the server; empty: none. Truncations in them since the parent
  /// tell which relations the server's incremental may have wrong.
  std::string wal_summaries;

  // With `server`:
  std::string label = "pagevault";
  bool fast_checkpoint = true;
  bool full = false;              ///< No incremental even if one could be had.
  std::uint32_t max_rate_kb = 0;  ///< 0: unlimited.
  std::string server_compression;
};

/// What was done with a cluster, beside the snapshot's record.
struct ClusterReport {
  std::uint64_t system_identifier = 0;
  std::string start_lsn;
  std::string end_lsn;
  std::uint32_t timeline = 0;
  bool incremental = false;
  std::string why_full;                ///< With a server: why no incremental was taken.
  std::uint64_t blocks_changed = 0;    ///< In INCREMENTAL files.
  std::uint64_t files_taken_over = 0;  ///< Of the parent, as the incremental said.
  std::uint64_t bytes_of_parent = 0;   ///< Stored bytes read from the repository for it.
  std::uint64_t files_refetched = 0;   ///< Whole, as the server's incremental may be wrong.
  bool wal_included = false;
  std::vector<std::string> doubts;  ///< Where the snapshot may not be what the server had.
};

struct BackupRequest {
  std::vector<std::string> paths;  ///< Absolute, lexically normal, distinct. Files and folders.
  /// What the snapshot records instead of `paths`, for a pattern whose matches vary; empty:
  /// `paths`.
  std::vector<std::string> recorded_paths;
  /// The paths are SQLite databases.
  std::optional<DatabaseOptions> databases;
  /// A PostgreSQL cluster; `paths` is empty, `recorded_paths` says where it is.
  std::optional<PostgresOptions> postgres;
  std::vector<std::string>
      excludes;  ///< Globs: with '/' against the whole path, else against names.
  std::vector<std::string> tags;
  std::string host;
  std::string user;
  std::string program;  ///< Name and version, recorded.
  repo::Compression compression = repo::Compression::Auto;
  repo::DeltaMode delta = repo::DeltaMode::Auto;
  bool extra_verify = true;
  bool force = false;     ///< Do not trust metadata: read every file.
  bool paranoid = false;  ///< Compare ids instead of gates (implies reading).
  bool dry_run = false;
  /// Chosen by host and paths when absent.
  std::optional<SnapshotId> parent;
  /// A stream instead of paths: `stream_name` is its file's name.
  StreamSource stream;
  std::string stream_name;
};

struct SourceError {
  std::string path;
  Error error;
};

struct BackupProgress {
  std::uint64_t files_done = 0;
  std::uint64_t bytes_done = 0;  ///< Of source, read or skipped as unchanged.
  std::uint64_t bytes_new = 0;
  std::uint64_t bytes_total = 0;  ///< Of source; 0: not known.
  std::string current;
};

/// Called from the thread that runs the backup.
class BackupObserver {
 public:
  virtual ~BackupObserver() = default;
  /// True: the sources are walked once before, to know how much there is. Somebody is watching.
  virtual bool wants_total() const { return false; }
  virtual void on_progress(const BackupProgress&) {}  ///< At most every 100 ms.
  virtual void on_source_error(const SourceError&) {}
  virtual void on_warning(const std::string&) {}
};

struct BackupReport {
  std::optional<SnapshotId> snapshot;  ///< Nothing in a dry run.
  std::optional<SnapshotId> parent;
  repo::SnapshotStats stats;
  std::uint64_t chunks_new = 0;
  std::uint64_t deltas = 0;  ///< Of chunks_new: stored as differences from what the parent had.
  /// In databases, against the parent; nothing unless the log of each told.
  std::optional<std::uint64_t> pages_changed;
  bool incomplete = false;  ///< Some sources could not be read as they were (exit 3).
  std::optional<ClusterReport> cluster;
};

/// Source errors are reported and the rest goes on; repository errors end it. Errors: NotFound when
/// no path exists at all, Cancelled, and all of WriteSession. Of a PostgreSQL cluster every error
/// of the source ends it: Corrupt (damage found), WrongParent (the incremental's parent is not
/// here).
Result<BackupReport> run_backup(Workspace& workspace, const BackupRequest& request,
                                BackupObserver& observer);

}  // namespace pagevault::engine
