#include <charconv>
#include <ctime>

#include "pagevault/engine/tree.h"

namespace pagevault::engine {

namespace {

constexpr std::size_t kPrefixDigitsMin = 4;

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

// "latest" is 0, "latest~2" is 2; nothing for other texts.
std::optional<std::size_t> steps_back(std::string_view text) {
  constexpr std::string_view kLatest = "latest";
  if (!text.starts_with(kLatest)) return std::nullopt;
  text.remove_prefix(kLatest.size());
  if (text.empty()) return 0;
  if (text.front() != '~') return std::nullopt;
  text.remove_prefix(1);
  std::size_t steps = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), steps);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return steps;
}

// Seconds since the epoch of "2026-11-20", "2026-11-20 10:00", "2026-11-20T10:00:00" (all UTC),
// with or without "Z" or an offset "+02:00".
std::optional<std::int64_t> parse_time(const std::string& text) {
  int fields[6] = {0, 1, 1, 0, 0, 0};
  int used = 0;
  const int date =
      std::sscanf(text.c_str(), "%4d-%2d-%2d%n", &fields[0], &fields[1], &fields[2], &used);
  if (date != 3 || used < 8) return std::nullopt;
  std::string rest = text.substr(static_cast<std::size_t>(used));
  if (!rest.empty() && (rest[0] == 'T' || rest[0] == ' ')) {
    int clock_used = 0;
    if (std::sscanf(rest.c_str() + 1, "%2d:%2d%n", &fields[3], &fields[4], &clock_used) != 2) {
      return std::nullopt;
    }
    rest = rest.substr(1 + static_cast<std::size_t>(clock_used));
    int seconds_used = 0;
    if (std::sscanf(rest.c_str(), ":%2d%n", &fields[5], &seconds_used) == 1) {
      rest = rest.substr(static_cast<std::size_t>(seconds_used));
    }
  }
  std::int64_t offset = 0;
  int hours = 0;
  int minutes = 0;
  if (rest.size() == 6 && (rest[0] == '+' || rest[0] == '-') &&
      std::sscanf(rest.c_str() + 1, "%2d:%2d", &hours, &minutes) == 2) {
    offset = (rest[0] == '+' ? 1 : -1) * (hours * 3600LL + minutes * 60LL);
  } else if (!rest.empty() && rest != "Z") {
    return std::nullopt;
  }
  std::tm broken{};
  broken.tm_year = fields[0] - 1900;
  broken.tm_mon = fields[1] - 1;
  broken.tm_mday = fields[2];
  broken.tm_hour = fields[3];
  broken.tm_min = fields[4];
  broken.tm_sec = fields[5];
  return static_cast<std::int64_t>(timegm(&broken)) - offset;
}

Result<repo::StoredSnapshot> by_prefix(const repo::SnapshotListing& listing,
                                       const std::string& text) {
  std::string prefix = text;
  for (char& digit : prefix) digit = static_cast<char>(std::tolower(digit));
  const repo::StoredSnapshot* found = nullptr;
  for (const auto& stored : listing.snapshots) {
    if (!stored.id.hex().starts_with(prefix)) continue;
    if (found != nullptr) {
      return Error(ErrorCode::InvalidArgument, "snapshot " + text + " is ambiguous: " +
                                                   found->id.hex(16) + " and " + stored.id.hex(16));
    }
    found = &stored;
  }
  if (found == nullptr) {
    // A snapshot that is there and cannot be read is damage, not absence.
    for (const auto& damaged : listing.damaged) {
      if (damaged.name.hex.starts_with(prefix)) return damaged.error;
    }
  }
  if (found == nullptr) return Error(ErrorCode::NotFound, "there is no snapshot " + text);
  return *found;
}

}  // namespace

Result<repo::StoredSnapshot> find_snapshot(const repo::SnapshotListing& listing,
                                           const std::string& text) {
  if (const auto steps = steps_back(text)) {
    if (*steps >= listing.snapshots.size()) {
      return Error(ErrorCode::NotFound, listing.snapshots.empty()
                                            ? "there is no snapshot yet"
                                            : "there are not that many snapshots: " + text);
    }
    return listing.snapshots[listing.snapshots.size() - 1 - *steps];
  }
  if (text.size() >= kPrefixDigitsMin && is_hex(text)) return by_prefix(listing, text);
  const auto time = parse_time(text);
  if (!time) {
    return Error(
        ErrorCode::InvalidArgument,
        "'" + text + "' is neither a snapshot id (at least 4 digits), latest, latest~N nor a time");
  }
  for (auto it = listing.snapshots.rbegin(); it != listing.snapshots.rend(); ++it) {
    // A time in whole seconds means all of that second.
    if (it->snapshot.committed_ns < (*time + 1) * 1'000'000'000) return *it;
  }
  return Error(ErrorCode::NotFound, "there is no snapshot at or before " + text);
}

}  // namespace pagevault::engine
