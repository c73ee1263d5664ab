// The timelines a server went through. Source: PostgreSQL, src/backend/access/transam/timeline.c.

#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "pagevault/pgsupport/lsn.h"

namespace pagevault::pgsupport {

/// One timeline; the server left it at `end` (which is 0/0 for the one it is on).
struct TimelineStay {
  Timeline timeline;
  Lsn begin;
  Lsn end;
  bool operator==(const TimelineStay&) const = default;
};

/// `content`: the history file of `current` (none for timeline 1: empty). Oldest first, `current`
/// last. Errors: Corrupt (lines, order).
Result<std::vector<TimelineStay>> parse_timeline_history(std::string_view content,
                                                         Timeline current);

/// Why WAL of `range` is not part of that history; nothing when it is. A range may end where
/// `newest`, the server's position, is, not later.
std::optional<std::string> why_not_in_history(const std::vector<TimelineStay>& history,
                                              const WalRange& range, Lsn newest);

/// How far WAL from `start` on is covered by `summaries`, in any order, without a gap; `start` when
/// not at all.
Lsn covered_until(const std::vector<WalRange>& summaries, Timeline timeline, Lsn start);

}  // namespace pagevault::pgsupport
