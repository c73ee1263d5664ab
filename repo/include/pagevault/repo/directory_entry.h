// Entries of a directory stream. Source: docs/format.md, 5 "Directory stream".

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pagevault/base/codec.h"
#include "pagevault/base/env.h"
#include "pagevault/repo/database_record.h"
#include "pagevault/repo/file_map.h"

namespace pagevault::repo {

struct Entry {
  std::string name;
  FileInfo info;  ///< size: of a file its bytes, of a directory its stream's length.
  std::string user;
  std::string group;
  bool racy = false;  ///< Changed so shortly before it was read that times prove nothing.
  bool changed_while_read = false;
  std::uint32_t page_size = 0;  ///< Files: 0 = stream chunker, else the page chunker's page size.
  MapRoot map;                  ///< Files and directories.
  std::string link_target;
  std::vector<Xattr> xattrs;
  std::optional<DatabaseRecord> database;  ///< Files that are one.
  /// Of all the file's bytes; in snapshots of PostgreSQL clusters, whose manifests need it.
  std::optional<std::uint32_t> crc32c;
};

/// True when `name` may stand in a directory: one component, 1..255 bytes, not "." or "..".
bool is_valid_entry_name(std::string_view name);

/// Appends the first byte of every directory stream.
void begin_directory_stream(Encoder& out);
/// InvalidArgument, naming the limit, when the format cannot hold `entry` (a file system may allow
/// more attributes than we do).
Status check_entry(const Entry& entry);
/// Appends one entry. Precondition (checked): check_entry(entry).
void encode_entry(Encoder& out, const Entry& entry);

/// Reads a directory stream that arrives in pieces: feed bytes, take entries, keep what is left.
/// Checks names, order and limits (F6.1, F6.3). Holds at most one entry and one piece.
class DirectoryStreamParser {
 public:
  void feed(ByteView piece);
  /// The next whole entry; nothing when more bytes are needed. Errors: Corrupt, Unsupported.
  Result<std::optional<Entry>> next();
  /// Corrupt when bytes of a partial entry (or no version byte) are left.
  Status finish() const;

 private:
  Bytes buffer_;
  std::size_t position_ = 0;
  std::size_t wanted_ = 0;  // Do not try again before the buffer is this long.
  bool begun_ = false;
  std::string last_name_;
};

}  // namespace pagevault::repo
