// backup_manifest: what is in a base backup, with sizes and checksums, and which WAL it needs.
// Source: PostgreSQL, doc/src/sgml/backup-manifest.sgml, src/common/parse_manifest.c.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "pagevault/pgsupport/file_checksum.h"
#include "pagevault/pgsupport/lsn.h"

namespace pagevault::pgsupport {

inline constexpr std::string_view kManifestFile = "backup_manifest";

struct ManifestFile {
  std::string path;  ///< Bytes, relative to the data directory; never absolute, no "..".
  std::uint64_t size = 0;
  std::string last_modified;  ///< `YYYY-MM-DD HH:MM:SS GMT`; informational.
  ChecksumAlgorithm algorithm = ChecksumAlgorithm::None;
  Bytes checksum;  ///< digest_bytes(algorithm) of them.
};

struct BackupManifest {
  std::uint32_t version = 0;                       ///< 1 (PostgreSQL 13 to 16) or 2.
  std::optional<std::uint64_t> system_identifier;  ///< Version 2.
  std::vector<ManifestFile> files;                 ///< In the manifest's order; paths distinct.
  std::vector<WalRange> wal_ranges;                ///< Newest timeline first.
};

inline constexpr std::uint64_t kManifestBytesMax = std::uint64_t{1} << 30;

/// Checks the manifest's own SHA-256 first, then parses. Unknown keys are errors, as for the
/// server. Errors: Corrupt (checksum, JSON, keys, paths, duplicates, lengths of digests),
/// Unsupported (version).
Result<BackupManifest> parse_backup_manifest(ByteView text);

/// Writes a manifest piece by piece, in the server's layout: of version 2, or 1 without a system
/// identifier.
class ManifestWriter {
 public:
  using Sink = std::function<Status(ByteView)>;
  ManifestWriter(std::optional<std::uint64_t> system_identifier, Sink sink);
  ~ManifestWriter();
  ManifestWriter(const ManifestWriter&) = delete;
  ManifestWriter& operator=(const ManifestWriter&) = delete;

  /// Paths that are not UTF-8 are written as Encoded-Path. Errors: of the sink.
  Status add(const ManifestFile& file);
  /// WAL ranges and checksum. Once.
  Status finish(const std::vector<WalRange>& wal_ranges);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pagevault::pgsupport
