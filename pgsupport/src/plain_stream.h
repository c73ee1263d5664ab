// What is inside a gzip, lz4 or zstd stream, or in a plain one, block by block, through libarchive.
//
// Exactly one layer is taken off, and which is told by the first bytes: libarchive would look for
// up to 25 inside each other, each with a window of its own. All three decoders are built into
// Debian's libarchive (12: 3.6.2, 13: 3.7.4, linked to zlib, liblz4 and libzstd), so no program is
// ever run. gzip's checksum is not verified by it; whoever needs that has the manifest's.

#pragma once

#include <memory>
#include <optional>

#include "libarchive.h"
#include "pagevault/pgsupport/archive_reader.h"

namespace pagevault::pgsupport {

/// Not movable: libarchive keeps its address. Not thread-safe.
class PlainStream {
 public:
  /// Reads the first bytes. Errors: Corrupt; of the source.
  static Result<std::unique_ptr<PlainStream>> open(ArchiveReader::Source source);

  /// The next bytes, empty at the end; valid until the next call. Nothing is copied that the
  /// decoder does not write. Errors: Corrupt (also a stream that breaks off); of the source.
  Result<ByteView> next();

 private:
  explicit PlainStream(ArchiveReader::Source source) : source_(std::move(source)) {}

  Status start();
  Error failure(std::string_view what);
  static la_ssize_t pull(archive* handle, void* self, const void** out);

  struct Closer {
    void operator()(archive* handle) const { libarchive().read_free(handle); }
  };

  ArchiveReader::Source source_;
  std::optional<Error> source_error_;  // Set aside while libarchive unwinds.
  Bytes head_;                         // The source's first bytes, looked at before libarchive.
  bool head_given_ = false;
  std::unique_ptr<archive, Closer> handle_;
};

}  // namespace pagevault::pgsupport
