#include "pagevault/pgsupport/control_file.h"

#include <fmt/format.h>

#include <bit>
#include <optional>

#include "pagevault/base/codec.h"
#include "pagevault/base/crc32c.h"
#include "pagevault/pgsupport/incremental_file.h"

namespace pagevault::pgsupport {

namespace {

// Offsets of PostgreSQL 13 to 18 on 64-bit machines; only where the CRC stands differs.
constexpr std::size_t kSystemIdentifier = 0;
constexpr std::size_t kControlVersion = 8;
constexpr std::size_t kCatalogVersion = 12;
constexpr std::size_t kState = 16;
constexpr std::size_t kCheckpoint = 32;
constexpr std::size_t kRedo = 40;
constexpr std::size_t kTimeline = 48;
constexpr std::size_t kMinRecoveryPoint = 136;
constexpr std::size_t kBlockBytes = 216;
constexpr std::size_t kSegmentBlocks = 220;
constexpr std::size_t kWalSegmentBytes = 228;
constexpr std::size_t kDataChecksumVersion = 252;

std::optional<std::size_t> crc_offset(std::uint32_t control_version) {
  switch (control_version) {
    case 1300:  // PostgreSQL 13 to 16.
    case 1700:
      return 288;
    case 1800:
      return 292;
    default:
      return std::nullopt;
  }
}

Error corrupt(std::string_view problem) {
  return {ErrorCode::Corrupt, fmt::format("global/pg_control: {}", problem)};
}

bool is_power_between(std::uint32_t value, std::uint32_t least, std::uint32_t most) {
  return std::has_single_bit(value) && value >= least && value <= most;
}

Status check_sizes(const ControlFile& control) {
  if (!is_power_between(control.block_bytes, 1024, 32768)) {
    return corrupt(fmt::format("impossible block size {}", control.block_bytes));
  }
  if (control.segment_blocks == 0 || control.segment_blocks > kSegmentBlocksMax) {
    return corrupt(fmt::format("relation segments of {} blocks; 1 to {} are supported",
                               control.segment_blocks, kSegmentBlocksMax));
  }
  if (!is_power_between(control.wal_segment_bytes, kMiB, kGiB)) {
    return corrupt(fmt::format("impossible WAL segment size {}", control.wal_segment_bytes));
  }
  return ok();
}

}  // namespace

Result<ControlFile> parse_control_file(ByteView bytes) {
  if (bytes.size() < kControlVersion + 4) return corrupt("too short");
  ControlFile out;
  out.control_version = load_le32(bytes.subspan(kControlVersion));
  const auto crc_at = crc_offset(out.control_version);
  if (!crc_at) {
    return Error(ErrorCode::Unsupported,
                 fmt::format("global/pg_control: version {}; PostgreSQL 13 to 18 on little-endian "
                             "machines are known",
                             out.control_version));
  }
  if (bytes.size() < *crc_at + 4) return corrupt("shorter than its layout");
  if (crc32c(bytes.first(*crc_at)) != load_le32(bytes.subspan(*crc_at))) {
    return corrupt("checksum mismatch");
  }
  out.system_identifier = load_le64(bytes.subspan(kSystemIdentifier));
  out.catalog_version = load_le32(bytes.subspan(kCatalogVersion));
  out.state = load_le32(bytes.subspan(kState));
  out.checkpoint = {load_le64(bytes.subspan(kCheckpoint))};
  out.redo = {load_le64(bytes.subspan(kRedo))};
  out.timeline = {load_le32(bytes.subspan(kTimeline))};
  out.min_recovery_point = {load_le64(bytes.subspan(kMinRecoveryPoint))};
  out.block_bytes = load_le32(bytes.subspan(kBlockBytes));
  out.segment_blocks = load_le32(bytes.subspan(kSegmentBlocks));
  out.wal_segment_bytes = load_le32(bytes.subspan(kWalSegmentBytes));
  out.data_checksum_version = load_le32(bytes.subspan(kDataChecksumVersion));
  PV_TRY(check_sizes(out));
  return out;
}

}  // namespace pagevault::pgsupport
