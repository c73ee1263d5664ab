// The files SQLite keeps beside a database: its name and one of these ends.
// Source: "Temporary Files Used By SQLite" (sqlite.org/tempfiles.html).

#pragma once

#include <array>
#include <string_view>

namespace pagevault::sqlitesupport {

inline constexpr std::string_view kLogEnd = "-wal";
inline constexpr std::string_view kLogIndexEnd = "-shm";
inline constexpr std::string_view kJournalEnd = "-journal";
inline constexpr std::array kSidecarEnds = {kLogEnd, kLogIndexEnd, kJournalEnd};

}  // namespace pagevault::sqlitesupport
