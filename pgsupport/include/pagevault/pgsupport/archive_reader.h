// Tar archives as base backups come in, plain or compressed (gzip, lz4 and zstd frames), as a
// stream. libarchive decompresses; what tar headers may say is held to what pg_basebackup writes,
// and read here: libarchive's own tar reader takes what an archive without end says for its end,
// and allocates without limit for sparse maps (docs/adr/0001-dependencies.md, "Tar").

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "pagevault/base/env.h"

namespace pagevault::pgsupport {

/// One member. Of the info type, mode, uid, gid, size (0 unless a regular file) and mtime_ns are
/// set.
struct ArchiveMember {
  std::string path;  ///< Normal form: no leading "./" or "/", no trailing '/', no ".." or "//"; at
                     ///< most 256 bytes.
  FileInfo info;
  std::string user;
  std::string group;
  std::string link_target;  ///< Of symbolic links.
};

/// Not thread-safe.
class ArchiveReader {
 public:
  /// The archive's next bytes, empty at its end; valid until the next call. Its errors end the
  /// reading and are passed on as they are.
  using Source = std::function<Result<ByteView>()>;

  static Result<std::unique_ptr<ArchiveReader>> open(Source source);
  virtual ~ArchiveReader() = default;

  /// The next member; what was not read of the one before is skipped. Nothing at the end, which
  /// must be there: an archive that breaks off is an error, and so is one that goes on after it. A
  /// path may come twice: what that means is for the caller to say. Errors, which stay: Corrupt
  /// (container, names that are absolute or climb, hard links, sizes that do not fit,
  /// sparse members, extensions); of the source.
  virtual Result<std::optional<ArchiveMember>> next() = 0;
  /// Bytes of the current member, as many as are there, at most `out`; 0 at its end. Errors: as
  /// next.
  virtual Result<std::size_t> read(MutableBytes out) = 0;
};

/// Writes a pax-free ustar archive, as pg_basebackup -Ft does, to a sink. Times in whole seconds,
/// from 1970 on. Not thread-safe. An error of the sink stays.
class ArchiveWriter {
 public:
  using Sink = std::function<Status(ByteView)>;
  static Result<std::unique_ptr<ArchiveWriter>> create(Sink sink);
  virtual ~ArchiveWriter() = default;

  /// Then exactly info.size bytes follow, if it is a regular file. Errors: InvalidArgument (what
  /// ustar cannot hold); of the sink.
  virtual Status begin(const ArchiveMember& member) = 0;
  virtual Status write(ByteView bytes) = 0;
  /// The end mark. Errors, here and in `begin`: InvalidArgument when bytes of a member are missing.
  virtual Status finish() = 0;
};

}  // namespace pagevault::pgsupport
