// A SQLite database as a source of a backup: one read transaction, the files it lies in, and what
// of them may differ from the parent's version. docs/architecture.md, "SQLite".

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "overlaid_source.h"
#include "pagevault/repo/directory_entry.h"
#include "pagevault/sqlitesupport/database_image.h"

namespace pagevault::engine {

/// Owns the transaction: as long as it lasts the bytes stand still. Not thread-safe.
class DatabaseSource {
 public:
  /// `dir` and `name` are where the database of `transaction` lies; `parent` is the parent
  /// snapshot's entry, or null. Errors: of the files; Corrupt (the log does not fit).
  static Result<std::unique_ptr<DatabaseSource>> open(
      std::unique_ptr<sqlitesupport::ReadTransaction> transaction, Dir& dir,
      const std::string& name, const repo::Entry* parent);

  /// Of the database file, but for the size: that is the image's.
  const FileInfo& info() const { return info_; }
  /// The database file itself. It may be shorter or longer than the image.
  File& file() { return *file_; }
  std::uint64_t file_bytes() const { return file_bytes_; }
  std::uint32_t page_size() const { return state().page_size; }

  /// Where the image may differ from the parent's (ascending, not touching); empty: nowhere.
  /// Nothing: only comparing all of it can tell.
  const std::optional<std::vector<ByteRange>>& changed() const { return changed_; }
  /// For the entry.
  repo::DatabaseRecord record() const;
  /// The image over what is in the database file; uses this.
  OverlaidBlockSource::Overlay overlay();

  /// After the last byte was read. What it reports means that the bytes are not to be trusted.
  Status end() { return transaction_->end(); }

 private:
  explicit DatabaseSource(std::unique_ptr<sqlitesupport::ReadTransaction> transaction)
      : transaction_(std::move(transaction)) {}

  const sqlitesupport::DatabaseState& state() const { return transaction_->state(); }
  Status open_files(Dir& dir, const std::string& name);
  Status open_image(const repo::Entry* parent);
  std::optional<std::vector<ByteRange>> compare(const repo::Entry& parent) const;
  bool lies_in_file() const;

  std::unique_ptr<sqlitesupport::ReadTransaction> transaction_;
  FileInfo info_;
  std::uint64_t file_bytes_ = 0;
  std::unique_ptr<File> file_;
  std::unique_ptr<File> wal_;  // Null: there is none. Used by image_.
  std::optional<sqlitesupport::DatabaseImage> image_;
  std::optional<std::vector<ByteRange>> changed_;
};

}  // namespace pagevault::engine
