// What a snapshot of a cluster records and what its manifest says, from what came in. Pure, but for
// reading the parent's entries.

#pragma once

#include <map>

#include "cluster_input.h"
#include "cluster_tree.h"
#include "pagevault/pgsupport/backup_manifest.h"
#include "pagevault/repo/snapshot.h"

namespace pagevault::engine {

/// "17" -> 17. Errors: Unsupported (before 13, or nothing known); Corrupt.
Result<std::uint32_t> parse_version_file(std::string_view text);

/// System, sizes and manifest are of one cluster, and as assumed while its files were read. Errors:
/// Corrupt, Unsupported.
Status agree(const pgsupport::ControlFile& control,
             const std::optional<pgsupport::BackupManifest>& manifest,
             const ClusterPreview& preview, const repo::PostgresRecord& assumed);

/// An incremental and its parent's cluster are one, with the same sizes and checksums. Errors:
/// WrongParent.
Status agree_with_parent(const pgsupport::ControlFile& control, const repo::PostgresRecord& parent);

struct ClusterFacts {
  const pgsupport::BackupLabel& label;
  const pgsupport::ControlFile& control;
  const pgsupport::BackupManifest* manifest;  ///< Null: none.
  const std::map<std::uint32_t, std::string>& tablespaces;
  std::optional<pgsupport::WalPoint> end;  ///< As a server said.
  std::uint32_t major_version;
};
void fill_record(repo::PostgresRecord& record, const ClusterFacts& facts);

/// Keeps as many as the format holds and counts the rest.
void set_doubts(repo::PostgresRecord& record, std::vector<repo::PostgresDoubt> doubts);

/// All segments of record.wal_ranges are in pg_wal.
bool holds_wal(const ClusterTree& tree, const repo::PostgresRecord& record);

/// A manifest of the files in `tree`, with CRC-32C of each, from their entries: no file is read. Of
/// the version that `original` has.
Result<Bytes> generated_manifest(const ClusterTree& tree, const pgsupport::BackupManifest& original,
                                 const pgsupport::ControlFile& control);

/// Files, and how many are new, changed, as in the parent.
Status count_files(const ClusterTree& tree, ParentTree& parent, repo::SnapshotStats& stats);

}  // namespace pagevault::engine
