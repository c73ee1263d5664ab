// A running PostgreSQL server as the source of a base backup: what it is, what it lacks, and the
// backup itself over the replication protocol. Through libpq, which opens its own socket: one of
// the exceptions to "everything through Env" (docs/architecture.md). Source: PostgreSQL,
// doc/src/sgml/protocol.sgml; src/backend/backup/basebackup_copy.c.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pagevault/base/cancel_token.h"
#include "pagevault/pgsupport/incremental_file.h"
#include "pagevault/pgsupport/lsn.h"
#include "pagevault/pgsupport/relation_files.h"
#include "pagevault/pgsupport/wal_summary.h"

namespace pagevault::pgsupport {

struct ServerFacts {
  std::uint64_t system_identifier = 0;
  std::uint32_t version = 0;  ///< As 170005.
  std::string version_text;   ///< As "17.5 (Debian 17.5-1)".
  Timeline timeline;
  bool in_recovery = false;  ///< A standby.
  RelationGeometry geometry;
  std::uint32_t wal_segment_bytes = 0;
  bool data_checksums = false;
  bool summarizes_wal = false;  ///< summarize_wal is on.
  std::string host;             ///< For people, as in "db1:5432" or "/run/postgresql:5432".
};

/// Something to change at the server before backups (or incrementals) work.
struct Requirement {
  std::string problem;                 ///< "the role \"backup\" may not replicate"
  std::string remedy;                  ///< SQL or a line of pg_hba.conf, for people to run.
  bool for_incrementals_only = false;  ///< Full backups work without.
};

/// Tablespace beside the base, as the server sends it.
struct TablespaceLocation {
  std::uint32_t oid = 0;
  std::string path;  ///< Absolute, or `pg_tblspc/<oid>` for one in place.
  bool in_place() const { return !path.starts_with('/'); }
};

/// A base backup under way. One thread. Destroyed before its end: the server is told to give it up
/// (by SQL: a role without ends it when the server next sends something), and the connection
/// closed.
class BaseBackup {
 public:
  virtual ~BaseBackup() = default;

  virtual WalPoint start() const = 0;
  /// Without the base.
  virtual const std::vector<TablespaceLocation>& tablespaces() const = 0;
  /// The server's estimate, of a full backup; 0 when it was not asked.
  virtual std::uint64_t bytes_estimated() const = 0;
  /// As the server last said.
  virtual std::uint64_t bytes_done() const = 0;

  struct Archive {
    bool is_manifest = false;  ///< Comes last; else a tar, perhaps compressed.
    std::string name;          ///< "base.tar", "16384.tar.zst".
    std::string tablespace;    ///< As TablespaceLocation::path; empty for the base.
  };
  /// The next archive; what was not read of the one before is skipped. Nothing after the last.
  virtual Result<std::optional<Archive>> next_archive() = 0;
  /// Next bytes of the archive, empty at its end; valid until the next call.
  virtual Result<ByteView> read() = 0;
  /// After the last archive: where the WAL ends that is needed, and whether the server is content.
  /// Then the connection is closed. Errors: Corrupt (XX001: the server found page checksums that
  /// fail, and named the files in warnings, which are in the message); InvalidArgument (not read to
  /// its end).
  virtual Result<WalPoint> finish() = 0;
};

/// One connection that speaks the replication protocol and one for SQL, which is made when it is
/// first needed: a backup works without. Not thread-safe. Errors everywhere: Io with the server's
/// text; Cancelled; Locked (the role lacks a privilege); Unsupported (a version below 15).
class PostgresServer {
 public:
  /// `conninfo` as libpq takes it (or a URI). A password in it never reaches messages. `cancel`
  /// outlives the server and ends waiting for it within two seconds (looking up a host's name
  /// apart). Without a replication connection this succeeds if SQL works: then missing_requirements
  /// says what to do, and begin fails. Errors: also InvalidArgument (no conninfo).
  static Result<std::unique_ptr<PostgresServer>> connect(const std::string& conninfo,
                                                         CancelToken& cancel);
  virtual ~PostgresServer() = default;

  virtual const ServerFacts& facts() const = 0;
  /// Everything that is not as it should be, not only the first; of a remedy may be nothing known.
  virtual Result<std::vector<Requirement>> missing_requirements() = 0;
  /// Why no incremental since a backup with these WAL ranges can be had now (summaries missing or
  /// removed, another timeline, ...); nothing when it can. Not while a backup is under way. The
  /// server decides again when one begins: that can still fail.
  virtual Result<std::optional<std::string>> why_not_incremental(
      const std::vector<WalRange>& parent) = 0;

  struct Options {
    std::string label = "pagevault";
    bool fast_checkpoint = true;
    bool include_wal = true;  ///< The WAL it needs comes in the base archive; kept by a slot.
    bool checksums_verified = true;
    std::uint32_t max_rate_kb = 0;                ///< 0: unlimited; else 32..1048576.
    std::string compression = {};                 ///< "", or as COMPRESSION takes it: "zstd".
    std::string compression_detail = {};          ///< "level=1"
    std::optional<Bytes> incremental_since = {};  ///< The parent's manifest, uploaded first.
  };
  /// Begins the backup: returns when the server has said where it starts. Until its checkpoint is
  /// done, and for an incremental until the WAL before that is summarized, this waits. Afterwards,
  /// also after an error, another can begin. Errors: InvalidArgument (options); Unsupported
  /// (incremental, of a server that makes none).
  virtual Result<std::unique_ptr<BaseBackup>> begin(const Options& options) = 0;

  /// By SQL, also while a backup is under way. Forks truncated above block 0 in the WAL of `range`
  /// (or just outside of it, in the same summary files), by the server's summaries (is_at_risk).
  /// Sorted. Errors: NotFound when they do not cover all of it.
  virtual Result<std::vector<RelationFork>> forks_at_risk(const WalRange& range) = 0;
  /// The newest position written to (a primary) or replayed (a standby).
  virtual Result<Lsn> current_lsn() = 0;
  /// Segment files of `fork` that are there now, as paths relative to the data directory.
  virtual Result<std::vector<std::string>> segment_paths(const RelationFork& fork) = 0;
  /// At most `out` bytes of a file in the data directory from `offset`; 0 at its end. Errors:
  /// NotFound; Locked when the role may not (pg_read_server_files and EXECUTE on
  /// pg_read_binary_file).
  ///
  /// A file read so fits a backup only when the server had not ended it yet, and it runs ahead of
  /// its reader by what is in the buffers between: current_lsn() after reading the file must be at
  /// most what finish() answers.
  virtual Result<std::size_t> read_file(const std::string& path, std::uint64_t offset,
                                        MutableBytes out) = 0;
};

}  // namespace pagevault::pgsupport
