// Whether what came in is the base backup that the server made: manifest, page checksums, and
// numbers that must agree (F6.5). Collects while files pass by, decides at the end. Pure.

#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "checked_source.h"
#include "pagevault/pgsupport/backup_manifest.h"
#include "pagevault/pgsupport/control_file.h"
#include "pagevault/repo/postgres_record.h"

namespace pagevault::engine {

/// Something wrong with one file.
struct ClusterProblem {
  std::string path;
  std::string text;
  repo::PostgresDoubt doubt;
};

class ClusterCheck {
 public:
  /// A file has passed by as it came, `INCREMENTAL.` files under that name.
  void add_file(const std::string& path, std::uint64_t size, pgsupport::ChecksumAlgorithm algorithm,
                Bytes checksum);
  void add_pages(const std::string& path, PageFindings findings);

  /// Each file against the manifest, and the manifest against the files.
  std::vector<ClusterProblem> compare(const pgsupport::BackupManifest& manifest) const;
  /// Pages that are damaged: checksums are on, and the page is older than the backup's start, so
  /// that no write can have been under way.
  std::vector<ClusterProblem> damaged_pages(const pgsupport::ControlFile& control,
                                            pgsupport::Lsn start) const;

 private:
  struct Seen {
    std::uint64_t size = 0;
    pgsupport::ChecksumAlgorithm algorithm = pgsupport::ChecksumAlgorithm::None;
    Bytes checksum;
  };
  std::unordered_map<std::string, Seen> files_;
  std::vector<std::pair<std::string, PageFindings>> pages_;
};

/// True for files that a manifest need not list, as pg_verifybackup has it: WAL, the manifest, what
/// is written after a restore.
bool is_unlisted(std::string_view path);

}  // namespace pagevault::engine
