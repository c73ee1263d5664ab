// Any bytes as a WAL summary, with the right magic number and checksum, so that what is between is
// read: refused, or limits of forks in order. And any bytes as its name.

#include "pagevault/base/codec.h"
#include "pagevault/base/crc32c.h"
#include "pagevault/pgsupport/wal_summary.h"

using namespace pagevault;
using namespace pagevault::pgsupport;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const ByteView input = std::as_bytes(std::span(data, size));
  if (const auto range = parse_wal_summary_name(as_text(input))) {
    PV_CHECK(range->timeline.value != 0 && range->start < range->end);
  }
  read_limit_blocks(input).ignore("no crash is what is asked for");
  Encoder out;
  out.u32(0x652b137b);
  out.raw(input);
  const std::uint32_t crc = crc32c(out.view());
  out.u32(crc);
  const auto limits = read_limit_blocks(out.view());
  if (!limits) return 0;
  PV_CHECK(limits->size() <= size / 24);
  for (std::size_t i = 0; i < limits->size(); ++i) {
    PV_CHECK((*limits)[i].fork.fork <= 3);
    PV_CHECK(i == 0 || (*limits)[i - 1].fork < (*limits)[i].fork);
  }
  return 0;
}
