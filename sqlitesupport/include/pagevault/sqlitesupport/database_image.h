// The bytes a read transaction sees, put together from the database file and its write-ahead log.

#pragma once

#include <optional>
#include <vector>

#include "pagevault/base/env.h"
#include "pagevault/sqlitesupport/read_transaction.h"

namespace pagevault::sqlitesupport {

/// Immutable after open. 8 bytes of memory for each distinct page in the log.
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
  /// Errors: Corrupt (frames do not fit the state: salts, page numbers, length); Io.
  static Result<DatabaseImage> open(const DatabaseState& state, File* wal, Options options);

  std::uint64_t length() const;

  /// Ranges of the image, ascending and not touching, outside of which nothing changed since
  /// `earlier`; nothing when the log cannot tell (it has started again, or there is none).
  /// The length may have changed, too.
  std::optional<std::vector<ByteRange>> changed_since(const WalPosition& earlier) const;

  /// Replaces in `bytes`, which were read from the database file at `offset` (both multiples of the
  /// page size; the part beyond the file's end may hold anything) what the log has newer.
  /// Errors: Corrupt (a frame is not what it was at open); Io.
  Status overlay(std::uint64_t offset, MutableBytes bytes) const;

 private:
  DatabaseImage() = default;
};

}  // namespace pagevault::sqlitesupport
