// The bytes a read transaction sees, put together from the database file and its write-ahead log.

#pragma once

#include <optional>
#include <vector>

#include "pagevault/base/env.h"
#include "pagevault/sqlitesupport/read_transaction.h"

namespace pagevault::sqlitesupport {

/// Immutable after open; reads may come from several threads. 8 bytes of memory for each distinct
/// page in the log, while it opens up to 16.
class DatabaseImage {
 public:
  struct Options {
    /// Frames up to this position need not be looked at when the database file is not read where
    /// changed_since() says nothing changed. Ignored when the log has started again since.
    std::optional<WalPosition> since = {};
  };

  /// Reads the headers of the frames in `wal`, the log beside the database, unless `state` needs
  /// none (then it may be null); it is kept and must outlive the image. The transaction of `state`
  /// must be open, and stay so until the last byte is read.
  ///
  /// When the database file holds all of the log, the log is read only for `since`, and only as
  /// long as it has not started again: changed_since() may then know of this position and no other.
  /// Errors: Corrupt (frames do not fit the state: salts, page numbers, length); Io.
  static Result<DatabaseImage> open(const DatabaseState& state, File* wal, Options options);

  std::uint64_t length() const;

  /// Ranges of the image, ascending and not touching, outside of which nothing changed since
  /// `earlier`; nothing when the log cannot tell (it has started again, or there is none).
  /// The length may have changed, too. With Options::since: of that position and later ones.
  std::optional<std::vector<ByteRange>> changed_since(const WalPosition& earlier) const;

  /// Replaces in `bytes`, which were read from the database file at `offset` (both multiples of the
  /// page size) what the log has newer. Where the file ended before, `bytes` are zero: so SQLite
  /// reads pages that are neither there nor in the log.
  /// Errors: Corrupt (a frame is not what it was at open); Io.
  Status overlay(std::uint64_t offset, MutableBytes bytes) const;

 private:
  struct PageFrame {
    std::uint32_t page = 0;
    std::uint32_t frame = 0;
    auto operator<=>(const PageFrame&) const = default;
  };

  DatabaseImage(const DatabaseState& state, File* wal) : state_(state), wal_(wal) {}

  bool log_matters() const { return state_.wal && state_.wal->frames > 0; }
  bool is_same_log(const WalPosition& earlier) const;
  Result<bool> had(const WalPosition& earlier) const;
  Status check_log_header() const;
  Status skip_to(const WalPosition& since);
  Status scan();
  Status scan_frames(std::uint32_t first, ByteView frames);
  Status scan_in_file(const WalPosition& since);
  void keep_newest();
  Status overlay_run(std::span<const PageFrame> run, std::uint64_t offset,
                     MutableBytes bytes) const;

  DatabaseState state_;
  File* wal_;
  // Ascending by page, one of each, none beyond the image.
  std::vector<PageFrame> newest_;
  std::uint32_t skipped_ = 0;         // Frames not looked at.
  std::optional<WalPosition> since_;  // Was found in the log.
  bool scanned_ = false;              // newest_ is complete but for skipped_.
};

}  // namespace pagevault::sqlitesupport
