// Any bytes as a write-ahead log, made plausible (checksum of its header, salts and last checksum
// of the state), so that the frames are read: refused or laid over, never beyond the image.

#include "pagevault/base/codec.h"
#include "pagevault/base/sim_env.h"
#include "pagevault/sqlitesupport/database_image.h"
#include "pagevault/sqlitesupport/wal_format.h"

using namespace pagevault;
using namespace pagevault::sqlitesupport;

namespace {

constexpr std::uint32_t kPageSize = 512;
constexpr std::size_t kFrameBytes = kWalFrameHeaderBytes + kPageSize;

Bytes log_of(ByteView input) {
  Bytes log(kWalHeaderBytes);
  store_be32(log, 0x377F0682);
  store_be32(MutableBytes(log).subspan(4), 3007000);
  store_be32(MutableBytes(log).subspan(8), kPageSize);
  const WalChecksum sum = wal_checksum({}, ByteView(log).first(24), false);
  store_be32(MutableBytes(log).subspan(24), sum[0]);
  store_be32(MutableBytes(log).subspan(28), sum[1]);
  append(log, input);
  return log;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size < kFrameBytes + 2 || size > 64 * kKiB) return 0;
  const ByteView input = std::as_bytes(std::span(data, size));
  const ByteView frames = input.subspan(2);
  const auto count = static_cast<std::uint32_t>(frames.size() / kFrameBytes);
  const WalFrameHeader last = parse_wal_frame_header(frames.subspan((count - 1) * kFrameBytes));
  DatabaseState state{.journal = JournalMode::Wal, .page_size = kPageSize};
  state.page_count = std::to_integer<std::uint32_t>(input[0]);
  state.wal = WalPosition{.frames = count, .checksum = last.checksum};
  const WalPosition since{.frames = std::to_integer<std::uint32_t>(input[1])};
  SimEnv env(SimOptions{});
  env.write_file("/wal", log_of(frames));
  const auto file = env.open_dir("/").value()->open_file("wal", OpenMode::Read).value();
  const auto image = DatabaseImage::open(state, file.get(), {.since = since});
  if (!image) return 0;
  if (const auto changed = image->changed_since(since)) {
    for (const ByteRange& range : *changed) {
      PV_CHECK(range.length > 0 && range.offset + range.length <= image->length());
    }
  }
  Bytes pages(image->length());
  PV_CHECK(image->overlay(0, pages));
  return 0;
}
