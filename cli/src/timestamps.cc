#include "timestamps.h"

#include <fmt/format.h>

#include <ctime>

namespace pagevault::cli {
namespace {

// Towards the past, also before 1970.
std::time_t whole_seconds(std::int64_t ns) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  return ns / kSecond - (ns % kSecond < 0 ? 1 : 0);
}

std::string text_of(const std::tm& t, char between) {
  return fmt::format("{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}", t.tm_year + 1900, t.tm_mon + 1,
                     t.tm_mday, between, t.tm_hour, t.tm_min, t.tm_sec);
}

}  // namespace

std::string local_time(std::int64_t ns) {
  const std::time_t seconds = whole_seconds(ns);
  std::tm parts{};
  localtime_r(&seconds, &parts);
  return text_of(parts, ' ');
}

std::string rfc3339_time(std::int64_t ns) {
  const std::time_t seconds = whole_seconds(ns);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return text_of(parts, 'T') + "Z";
}

}  // namespace pagevault::cli
