#include "human_numbers.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

namespace pagevault::cli {

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // 1023.95 would be printed as 1024.0 of the smaller unit.
  while (value >= 1023.95 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string human_count(std::uint64_t count) {
  std::string digits = fmt::format("{}", count);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string human_duration(std::int64_t nanoseconds) {
  const double seconds = static_cast<double>(nanoseconds) / 1e9;
  if (seconds < 9.995) return fmt::format("{:.2f} s", seconds);
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  const std::int64_t whole = std::llround(seconds);
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string human_share(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "-";
  return fmt::format("{:.1f} %", 100 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string human_plural(std::uint64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", human_count(count), noun, count == 1 ? "" : "s");
}

Result<std::int64_t> parse_interval(std::string_view text) {
  constexpr std::int64_t kSecondsMax = 3'600'000;
  const auto seconds_of = [](char unit) {
    return unit == 's' ? 1 : unit == 'm' ? 60 : unit == 'h' ? 3600 : 0;
  };
  const std::int64_t seconds = text.empty() ? 0 : seconds_of(text.back());
  if (!text.empty()) text.remove_suffix(1);
  std::int64_t count = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), count);
  const bool whole = problem == std::errc{} && end == text.data() + text.size();
  if (!whole || seconds == 0 || count < 1 || count > kSecondsMax / seconds) {
    return Error(ErrorCode::InvalidArgument,
                 "not an interval: give a whole number of seconds, minutes or hours from 1s to "
                 "1000h, as in 10s");
  }
  return count * seconds * 1'000'000'000;
}

Result<std::uint32_t> parse_percent(std::string_view text) {
  std::string_view digits = text;
  if (digits.ends_with('%')) digits.remove_suffix(1);
  std::uint32_t value = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool whole = problem == std::errc{} && end == digits.data() + digits.size();
  if (!whole || value < 1 || value > 100) {
    return Error(ErrorCode::InvalidArgument,
                 fmt::format("'{}' is not a share: give a whole number from 1% to 100%", text));
  }
  return value;
}

}  // namespace pagevault::cli
