// Any bytes as pg_control, with a version that is known and the right checksum: refused, or with
// sizes that are possible.

#include <bit>

#include "pagevault/base/codec.h"
#include "pagevault/base/crc32c.h"
#include "pagevault/pgsupport/control_file.h"
#include "pagevault/pgsupport/relation_files.h"

using namespace pagevault;
using namespace pagevault::pgsupport;

namespace {

Bytes sealed(ByteView input) {
  Bytes bytes = to_bytes(input);
  if (bytes.size() < 300) return bytes;
  const bool is_18 = (bytes[8] & std::byte{1}) != std::byte{0};
  const std::size_t crc_at = is_18 ? 292 : 288;
  store_le32(MutableBytes(bytes).subspan(8), is_18 ? 1800 : 1700);
  store_le32(MutableBytes(bytes).subspan(crc_at), crc32c(ByteView(bytes).first(crc_at)));
  return bytes;
}

bool is_power_between(std::uint32_t value, std::uint64_t least, std::uint64_t most) {
  return std::has_single_bit(value) && value >= least && value <= most;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const ByteView input = std::as_bytes(std::span(data, size));
  parse_control_file(input).ignore("no crash is what is asked for");
  const Bytes bytes = sealed(input);
  const auto control = parse_control_file(bytes);
  if (!control) return 0;
  PV_CHECK(is_power_between(control->block_bytes, 1024, 32768));
  PV_CHECK(is_power_between(control->wal_segment_bytes, kMiB, kGiB));
  PV_CHECK(control->segment_blocks > 0);
  PV_CHECK(block_size_from_control(bytes).value() == control->block_bytes);
  return 0;
}
