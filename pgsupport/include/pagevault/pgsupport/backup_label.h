// backup_label and tablespace_map, the two small text files of a base backup.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "pagevault/base/result.h"
#include "pagevault/pgsupport/lsn.h"

namespace pagevault::pgsupport {

inline constexpr std::string_view kBackupLabelFile = "backup_label";
inline constexpr std::string_view kTablespaceMapFile = "tablespace_map";

struct BackupLabel {
  WalPoint start;             ///< START WAL LOCATION and START TIMELINE.
  std::string start_segment;  ///< The 24 digits in START WAL LOCATION.
  Lsn checkpoint;
  bool from_standby = false;
  std::string start_time;  ///< As written.
  std::string label;
  /// INCREMENTAL FROM: the start of the backup that this one builds on; nothing for a full one.
  std::optional<WalPoint> incremental_from;
};

/// Strict: the server's line order, every line ended, at most 64 KiB. A label before PostgreSQL 17
/// (no incremental lines) is the same. Errors: Corrupt.
/// Source: PostgreSQL, src/backend/access/transam/xlogbackup.c.
Result<BackupLabel> parse_backup_label(std::string_view text);

/// `text` without its INCREMENTAL FROM lines, byte for byte otherwise: the label of the full backup
/// that an incremental was applied to.
std::string without_incremental_lines(std::string_view text);

/// Tablespace OID -> absolute path at the source, escapes undone. Errors: Corrupt (also an OID that
/// stands there twice).
Result<std::map<std::uint32_t, std::string>> parse_tablespace_map(std::string_view text);

}  // namespace pagevault::pgsupport
