// A process that takes snapshots of the database of a World as a backup does, and compares each
// with what SQLite reads in the very same transaction.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pagevault/sqlitesupport/database_image.h"
#include "pagevault/sqlitesupport/read_transaction.h"
#include "sqlite_vfs/world.h"

namespace pagevault::testing {

/// What snapshots met. Every one of these must have happened, or nothing was proved.
struct ReaderCounts {
  std::uint64_t begins = 0;
  std::uint64_t refused = 0;         ///< Begins that answered Locked.
  std::uint64_t rollback = 0;        ///< Snapshots of a database without a log,
  std::uint64_t log = 0;             ///< from file and log,
  std::uint64_t log_in_file = 0;     ///< of a log that might start again.
  std::uint64_t commits_during = 0;  ///< Snapshots during which this happened.
  std::uint64_t writes_during = 0;
  std::uint64_t restarts_during = 0;
  std::uint64_t truncations_during = 0;
  std::uint64_t current = 0;  ///< Answers of is_current.
  std::uint64_t overtaken = 0;
  std::uint64_t increments = 0;          ///< Of which the log told what changed,
  std::uint64_t increments_unknown = 0;  ///< or did not.
  std::uint64_t pages = 0;               ///< Compared with SQLite's.
  std::uint64_t pages_from_log = 0;      ///< Which the file alone would have got wrong.
  std::uint64_t lock_pages = 0;          ///< Images with the page that is never used.
  std::uint64_t pages_unchanged = 0;     ///< Of increments: not read, and right.
};

class SnapshotReader {
 public:
  SnapshotReader(World& world, unsigned snapshots) : world_(world), left_(snapshots) {}

  /// Adds it to the world, which must not outlive it; tells the world to stop when it is done.
  void spawn();
  const ReaderCounts& counts() const { return counts_; }
  /// What was wrong, one line each.
  const std::vector<std::string>& failures() const { return failures_; }

 private:
  struct Snapshot {
    Bytes image;
    std::optional<sqlitesupport::WalPosition> position;
    std::uint32_t page_size = 0;
  };

  void take();
  Status read_within(sqlitesupport::ReadTransaction& transaction, Snapshot& now);
  Result<Bytes> read_image(const sqlitesupport::DatabaseState& state);
  void blank_lock_page(Bytes& image, std::uint32_t page_size);
  Status read_range(const sqlitesupport::DatabaseImage& image, ByteRange range, Bytes& into);
  Status read_increment(const sqlitesupport::DatabaseState& state, const Snapshot& now);
  void compare(const Snapshot& now, ByteView by_sqlite);
  void compare_state(const sqlitesupport::DatabaseState& state, ByteView by_sqlite);
  void count_kind(const sqlitesupport::DatabaseState& state);
  Status ask_whether_current(sqlitesupport::ReadTransaction& transaction);
  void fail(std::string what) { failures_.push_back(std::move(what)); }
  std::uint64_t random(std::uint64_t below) { return world_.scheduler().random(below); }

  World& world_;
  unsigned left_;
  ReaderCounts counts_;
  std::vector<std::string> failures_;
  std::optional<Snapshot> previous_;
  std::optional<std::int64_t> acknowledged_when_current_;
};

}  // namespace pagevault::testing
