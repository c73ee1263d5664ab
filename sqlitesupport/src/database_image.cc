#include "pagevault/sqlitesupport/database_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "pagevault/sqlitesupport/wal_format.h"

namespace pagevault::sqlitesupport {
namespace {

constexpr std::size_t kScanBytes = kMiB;
// Frames that are nearer than this are read together, up to so many bytes.
constexpr std::uint64_t kGapBytes = 64 * kKiB;
constexpr std::uint64_t kRunBytesMax = kMiB;
constexpr std::size_t kSortFrom = 1 << 16;

Error log_error(const File& wal, std::string_view problem) {
  return {ErrorCode::Corrupt, fmt::format("{}: {}", wal.path(), problem)};
}

Status read_fully(File& wal, std::uint64_t offset, MutableBytes out) {
  PV_TRY_ASSIGN(const std::size_t got, wal.read_at(offset, out));
  if (got == out.size()) return ok();
  return log_error(wal, fmt::format("ends at byte {}, frames up to byte {} are expected",
                                    offset + got, offset + out.size()));
}

std::uint64_t frame_bytes_of(std::uint32_t page_size) { return kWalFrameHeaderBytes + page_size; }

// How many of `frames`, ascending, are read in one piece with the first.
std::size_t run_length(std::span<const std::uint32_t> frames, std::uint64_t frame_bytes) {
  std::size_t count = 1;
  while (count < frames.size() &&
         (frames[count] - frames[count - 1] - 1) * frame_bytes <= kGapBytes &&
         (frames[count] - frames[0] + 1) * frame_bytes <= kRunBytesMax) {
    ++count;
  }
  return count;
}

void add_range(std::vector<ByteRange>& ranges, ByteRange range) {
  if (!ranges.empty() && ranges.back().offset + ranges.back().length == range.offset) {
    ranges.back().length += range.length;
  } else {
    ranges.push_back(range);
  }
}

}  // namespace

Result<DatabaseImage> DatabaseImage::open(const DatabaseState& state, File* wal, Options options) {
  PV_CHECK(std::has_single_bit(state.page_size));
  DatabaseImage image(state, wal);
  const bool same_log = options.since && image.is_same_log(*options.since);
  if (!image.log_matters()) return image;
  if (state.wal_is_in_file) {
    if (!same_log || wal == nullptr) return image;
    PV_TRY(image.scan_in_file(*options.since));
    return image;
  }
  PV_CHECK(wal != nullptr);
  PV_TRY(image.check_log_header());
  if (same_log) PV_TRY(image.skip_to(*options.since));
  PV_TRY(image.scan());
  return image;
}

std::uint64_t DatabaseImage::length() const {
  return std::uint64_t{state_.page_count} * state_.page_size;
}

bool DatabaseImage::is_same_log(const WalPosition& earlier) const {
  return state_.wal && earlier.salt == state_.wal->salt && earlier.frames <= state_.wal->frames;
}

Status DatabaseImage::check_log_header() const {
  std::array<std::byte, kWalHeaderBytes> bytes;
  PV_TRY(read_fully(*wal_, 0, bytes));
  auto header = parse_wal_header(bytes);
  if (!header) return header.error().with_context(wal_->path());
  if (header->page_size != state_.page_size) {
    return log_error(*wal_, fmt::format("pages of {} bytes, of the database {}", header->page_size,
                                        state_.page_size));
  }
  if (header->salt != state_.wal->salt) return log_error(*wal_, "salts of another log");
  return ok();
}

// Whether frame `earlier.frames` is in the log as it was then; all before it are, too, since
// checksums go on from frame to frame.
Result<bool> DatabaseImage::had(const WalPosition& earlier) const {
  if (earlier.frames == 0) return true;
  std::array<std::byte, kWalFrameHeaderBytes> bytes;
  PV_TRY(read_fully(*wal_, wal_frame_offset(earlier.frames, state_.page_size), bytes));
  const WalFrameHeader header = parse_wal_frame_header(bytes);
  return header.salt == earlier.salt && header.checksum == earlier.checksum;
}

Status DatabaseImage::skip_to(const WalPosition& since) {
  PV_TRY_ASSIGN(const bool found, had(since));
  if (!found) return ok();
  since_ = since;
  skipped_ = since.frames;
  return ok();
}

Status DatabaseImage::scan() {
  const std::uint64_t frame_bytes = frame_bytes_of(state_.page_size);
  const std::uint64_t per_read = std::max<std::uint64_t>(1, kScanBytes / frame_bytes);
  const std::uint32_t last = state_.wal->frames;
  Bytes buffer(std::min<std::uint64_t>(per_read, last - skipped_) * frame_bytes);
  std::size_t sort_at = kSortFrom;
  for (std::uint64_t first = std::uint64_t{skipped_} + 1; first <= last; first += per_read) {
    const std::uint64_t count = std::min(per_read, last - first + 1);
    const MutableBytes part = MutableBytes(buffer).first(count * frame_bytes);
    const auto frame = static_cast<std::uint32_t>(first);
    PV_TRY(read_fully(*wal_, wal_frame_offset(frame, state_.page_size), part));
    PV_TRY(scan_frames(frame, part));
    if (newest_.size() < sort_at) continue;
    keep_newest();  // A log may hold many versions of few pages.
    sort_at = std::max(kSortFrom, 2 * newest_.size());
  }
  keep_newest();
  newest_.shrink_to_fit();
  scanned_ = true;
  return ok();
}

Status DatabaseImage::scan_frames(std::uint32_t first, ByteView frames) {
  const WalPosition& end = *state_.wal;
  for (std::uint32_t frame = first; !frames.empty(); ++frame) {
    const WalFrameHeader header = parse_wal_frame_header(frames);
    if (header.salt != end.salt || header.page == 0) {
      return log_error(*wal_, fmt::format("frame {} is not of this log", frame));
    }
    if (frame == end.frames && header.checksum != end.checksum) {
      return log_error(*wal_, fmt::format("frame {} is not the one the transaction sees", frame));
    }
    // Those beyond were cut off by a later transaction.
    if (header.page <= state_.page_count) newest_.push_back({.page = header.page, .frame = frame});
    frames = frames.subspan(frame_bytes_of(state_.page_size));
  }
  return ok();
}

// The log may start again at any moment: its header is written first then, before any frame. So a
// header that is still the same after the frames were read proves that they were the old ones.
// Nothing here is needed to be right: whatever does not fit means only that the log cannot tell.
Status DatabaseImage::scan_in_file(const WalPosition& since) {
  if (check_log_header() && skip_to(since) && since_ && scan() && check_log_header()) return ok();
  since_.reset();
  scanned_ = false;
  newest_ = {};
  return ok();
}

// Sorts by page and keeps the last frame of each.
void DatabaseImage::keep_newest() {
  std::sort(newest_.begin(), newest_.end(), [](const PageFrame& a, const PageFrame& b) {
    return a.page != b.page ? a.page < b.page : a.frame > b.frame;
  });
  const auto rest =
      std::unique(newest_.begin(), newest_.end(),
                  [](const PageFrame& a, const PageFrame& b) { return a.page == b.page; });
  newest_.erase(rest, newest_.end());
}

std::optional<std::vector<ByteRange>> DatabaseImage::changed_since(
    const WalPosition& earlier) const {
  std::vector<ByteRange> ranges;
  if (!is_same_log(earlier)) return std::nullopt;
  if (earlier == *state_.wal) return ranges;
  if (!scanned_ || earlier.frames < skipped_) return std::nullopt;
  if (earlier != since_) {
    const auto found = state_.wal_is_in_file ? Result<bool>(false) : had(earlier);
    if (!found || !*found) return std::nullopt;
  }
  for (const PageFrame& entry : newest_) {
    if (entry.frame <= earlier.frames) continue;
    add_range(ranges, {.offset = (std::uint64_t{entry.page} - 1) * state_.page_size,
                       .length = state_.page_size});
  }
  return ranges;
}

Status DatabaseImage::overlay(std::uint64_t offset, MutableBytes bytes) const {
  const std::uint64_t page_size = state_.page_size;
  PV_CHECK(offset % page_size == 0 && bytes.size() % page_size == 0);
  if (state_.wal_is_in_file || newest_.empty()) return ok();
  const auto is_before = [page_size](const PageFrame& entry, std::uint64_t at) {
    return (std::uint64_t{entry.page} - 1) * page_size < at;
  };
  const auto begin = std::lower_bound(newest_.begin(), newest_.end(), offset, is_before);
  const auto end = std::lower_bound(begin, newest_.end(), offset + bytes.size(), is_before);
  std::vector<PageFrame> wanted(begin, end);
  std::sort(wanted.begin(), wanted.end(),
            [](const PageFrame& a, const PageFrame& b) { return a.frame < b.frame; });
  std::vector<std::uint32_t> frames;
  frames.reserve(wanted.size());
  for (const PageFrame& entry : wanted) frames.push_back(entry.frame);
  for (std::size_t i = 0; i < wanted.size();) {
    const std::size_t count =
        run_length(std::span(frames).subspan(i), frame_bytes_of(state_.page_size));
    PV_TRY(overlay_run(std::span(wanted).subspan(i, count), offset, bytes));
    i += count;
  }
  return ok();
}

// `run`: ascending by frame, near each other in the log.
Status DatabaseImage::overlay_run(std::span<const PageFrame> run, std::uint64_t offset,
                                  MutableBytes bytes) const {
  const std::uint64_t frame_bytes = frame_bytes_of(state_.page_size);
  const std::uint32_t first = run.front().frame;
  Bytes frames((run.back().frame - first + 1) * frame_bytes);
  PV_TRY(read_fully(*wal_, wal_frame_offset(first, state_.page_size), frames));
  for (const PageFrame& entry : run) {
    const ByteView frame =
        ByteView(frames).subspan((entry.frame - first) * frame_bytes, frame_bytes);
    const WalFrameHeader header = parse_wal_frame_header(frame);
    if (header.salt != state_.wal->salt || header.page != entry.page) {
      return log_error(*wal_, fmt::format("frame {} changed while it was read", entry.frame));
    }
    const ByteView page = frame.subspan(kWalFrameHeaderBytes);
    const std::uint64_t at = (std::uint64_t{entry.page} - 1) * state_.page_size - offset;
    copy_bytes(page, bytes.subspan(at));
  }
  return ok();
}

}  // namespace pagevault::sqlitesupport
