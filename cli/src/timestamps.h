// Times of snapshots and files as text. Nanoseconds since the epoch in, never a clock.

#pragma once

#include <cstdint>
#include <string>

namespace pagevault::cli {

/// "2026-11-20 09:45:13" in the local time zone (TZ).
std::string local_time(std::int64_t ns);
/// RFC 3339 in UTC, to the second: "2026-11-20T09:45:13Z".
std::string rfc3339_time(std::int64_t ns);

}  // namespace pagevault::cli
