#include "sqlite_vfs/raw_file.h"

#include <algorithm>

namespace pagevault::testing {

Result<std::size_t> RawFile::read_at(std::uint64_t offset, MutableBytes out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const std::size_t piece = std::min(between_(), out.size() - done);
    const std::size_t got = read_bytes(*node_, offset + done, out.subspan(done, piece));
    done += got;
    if (got < piece) break;
  }
  return done;
}

Result<FileInfo> RawFile::info() {
  FileInfo info;
  info.size = node_->content.size();
  info.allocated = info.size;
  return info;
}

Result<std::vector<ByteRange>> RawFile::data_ranges() {
  return std::vector<ByteRange>{{0, node_->content.size()}};
}

}  // namespace pagevault::testing
