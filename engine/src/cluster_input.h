// A PostgreSQL base backup as it comes in: a plain directory, a directory of tar archives, one tar
// as a stream, or the archives of a running server. All give the same: files with their paths in
// the data directory, in any order, nothing of which is copied anywhere first.

#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "block_source.h"
#include "pagevault/engine/backup.h"
#include "pagevault/pgsupport/archive_reader.h"
#include "pagevault/pgsupport/backup_label.h"
#include "pagevault/pgsupport/control_file.h"
#include "pagevault/pgsupport/incremental_file.h"
#include "pagevault/repo/directory_entry.h"

namespace pagevault::engine {

struct ClusterMember {
  std::string path;   ///< In the data directory, in normal form.
  repo::Entry entry;  ///< Type, metadata, size; no map.
};

/// What is known before the first member is read.
struct ClusterPreview {
  pgsupport::WalPoint start;
  std::optional<pgsupport::WalPoint> incremental_from;
  std::optional<std::uint64_t> system_identifier;
  std::optional<pgsupport::RelationGeometry> geometry;
  std::uint64_t bytes_total = 0;  ///< 0: not known.
  /// The manifest, where it lies beside what comes as members and is none of them.
  std::optional<Bytes> manifest;
  /// Where tablespaces lie at the source: OID -> absolute path; empty path: in place.
  std::map<std::uint32_t, std::string> tablespaces;
};

/// Not thread-safe. Errors everywhere: of the source; Corrupt (containers, names).
class ClusterInput {
 public:
  virtual ~ClusterInput() = default;
  ClusterInput(const ClusterInput&) = delete;
  ClusterInput& operator=(const ClusterInput&) = delete;

  const ClusterPreview& preview() const { return preview_; }
  /// The next folder or file. What was not read of the one before is skipped.
  virtual Result<std::optional<ClusterMember>> next() = 0;
  /// The bytes of the file that next() gave last; once.
  virtual std::unique_ptr<BlockSource> content(IoQueue& queue, BlockPool& pool) = 0;
  /// That file, where it is one; null: it comes in an archive.
  virtual File* file() { return nullptr; }
  /// After the last member. Where the WAL ends that is needed, if the source says so beside the
  /// manifest.
  virtual Result<std::optional<pgsupport::WalPoint>> finish() {
    return std::optional<pgsupport::WalPoint>();
  }

 protected:
  ClusterInput() = default;
  ClusterPreview preview_;
};

/// Opens what `request.postgres` names. Warnings (links that are left out, say) go to `observer`.
/// Errors: NotFound; InvalidArgument when it is no base backup, with what it seems to be.
Result<std::unique_ptr<ClusterInput>> open_cluster_input(Env& env, const PostgresOptions& options,
                                                         BackupObserver& observer);

/// The archives of a base backup one after the other.
class ArchiveSequence {
 public:
  struct Archive {
    std::string member;  ///< The bytes are this file, no archive; else empty.
    std::string prefix;  ///< Of its members' paths: "", "pg_wal", "pg_tblspc/16384".
    pgsupport::ArchiveReader::Source bytes;
  };
  virtual ~ArchiveSequence() = default;
  virtual Result<std::optional<Archive>> next() = 0;
  /// After the last one.
  virtual Result<std::optional<pgsupport::WalPoint>> finish() {
    return std::optional<pgsupport::WalPoint>();
  }
};

/// `preview`: what is known beside the archives. Without a start the first member must be
/// backup_label, which tells.
Result<std::unique_ptr<ClusterInput>> read_archives(std::unique_ptr<ArchiveSequence> archives,
                                                    ClusterPreview preview);

/// `dir` holds a plain base backup.
Result<std::unique_ptr<ClusterInput>> read_plain_backup(Env& env, std::unique_ptr<Dir> dir,
                                                        BackupObserver& observer);

/// The manifest in `dir`; nothing when there is none. Errors: Corrupt (too long); of the file.
Result<std::optional<Bytes>> read_manifest_file(Dir& dir);

/// Longest of the small files that are read whole: backup_label, tablespace_map, pg_control.
inline constexpr std::uint64_t kSmallFileBytesMax = 64 * kKiB;

}  // namespace pagevault::engine
