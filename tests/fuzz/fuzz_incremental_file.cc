// Any bytes as the header of an incremental file (with the right magic number, in segments so short
// that headers of all their blocks are tried): refused, or a list of blocks of the segment in
// ascending order whose images end where the file does. And any bytes as its path.

#include "pagevault/base/codec.h"
#include "pagevault/pgsupport/incremental_file.h"

using namespace pagevault;
using namespace pagevault::pgsupport;

namespace {

constexpr RelationGeometry kGeometry{.block_bytes = 1024, .segment_blocks = 600};

void read_header(ByteView input) {
  Bytes file = to_bytes(input);
  store_le32(file, 0xd3ae1f0d);
  const auto length = incremental_header_bytes(file, kGeometry);
  if (!length) return;
  PV_CHECK(*length <= 12 + 600 * 4 + 1024);
  file.resize(*length);
  const std::uint64_t file_bytes = *length + std::uint64_t{load_le32(input.subspan(4))} * 1024;
  const auto header = parse_incremental_header(file, file_bytes, kGeometry);
  PV_CHECK(!parse_incremental_header(file, file_bytes + 1, kGeometry));
  if (!header) return;
  PV_CHECK(header->header_bytes == *length && header->blocks_after() <= 600);
  PV_CHECK(file_bytes == *length + header->blocks.size() * 1024);
  for (std::size_t i = 0; i < header->blocks.size(); ++i) {
    PV_CHECK(header->blocks[i] < 600 && (i == 0 || header->blocks[i - 1] < header->blocks[i]));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const ByteView input = std::as_bytes(std::span(data, size));
  if (const auto relation = relation_path_of_incremental(as_text(input))) {
    PV_CHECK(incremental_path_of(*relation) == as_text(input));
  }
  if (size >= kIncrementalFixedBytes) read_header(input);
  return 0;
}
