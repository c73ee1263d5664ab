// Numbers the way people read them, and the few they type.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pagevault/base/result.h"

namespace pagevault::cli {

/// "812 B", "1.5 KiB", "20.0 GiB": one decimal, powers of 1024.
std::string human_bytes(std::uint64_t bytes);
/// "12,345".
std::string human_count(std::uint64_t count);
/// "0.42 s", "12.3 s", "3:07" (minutes), "2:03:07" (hours).
std::string human_duration(std::int64_t nanoseconds);
/// `part` of `whole` as "12.5 %"; "-" when whole is 0.
std::string human_share(std::uint64_t part, std::uint64_t whole);
/// "1 file", "2 files": `noun` with an s unless the count is one.
std::string human_plural(std::uint64_t count, std::string_view noun);

/// "5" or "5%": 1 to 100. Errors: InvalidArgument.
Result<std::uint32_t> parse_percent(std::string_view text);
/// "10s", "5m", "2h": nanoseconds, from 1s to 1000h. Errors: InvalidArgument.
Result<std::int64_t> parse_interval(std::string_view text);

}  // namespace pagevault::cli
