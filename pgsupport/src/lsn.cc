#include "pagevault/pgsupport/lsn.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <optional>

#include "pagevault/base/bytes.h"

namespace pagevault::pgsupport {

namespace {

std::optional<std::uint32_t> parse_half(std::string_view text) {
  std::uint32_t value = 0;
  if (text.empty() || text.size() > 8) return std::nullopt;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, 16);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

}  // namespace

Result<Lsn> parse_lsn(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    const auto high = parse_half(text.substr(0, slash));
    const auto low = parse_half(text.substr(slash + 1));
    if (high && low) return Lsn{std::uint64_t{*high} << 32 | *low};
  }
  return Error(ErrorCode::InvalidArgument,
               fmt::format("'{}' is no position in the WAL, such as 1/6A3F0028", text));
}

std::string to_text(Lsn lsn) {
  return fmt::format("{:X}/{:X}", lsn.value >> 32, lsn.value & UINT32_MAX);
}

std::string wal_segment_name(Timeline timeline, Lsn lsn, std::uint32_t segment_bytes) {
  PV_CHECK(std::has_single_bit(segment_bytes) && segment_bytes >= kMiB && segment_bytes <= kGiB);
  const std::uint64_t segment = lsn.value / segment_bytes;
  const std::uint64_t per_log = (std::uint64_t{1} << 32) / segment_bytes;
  return fmt::format("{:08X}{:08X}{:08X}", timeline.value, segment / per_log, segment % per_log);
}

bool is_wal_segment_name(std::string_view name) {
  return name.size() == 24 && std::ranges::all_of(name, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
         });
}

}  // namespace pagevault::pgsupport
