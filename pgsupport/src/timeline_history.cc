#include "timeline_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace pagevault::pgsupport {
namespace {

constexpr std::size_t kHistoryLinesMax = 100'000;

Error bad_history(std::string_view line) {
  return {ErrorCode::Corrupt, fmt::format("timeline history: \"{}\"", line.substr(0, 80))};
}

std::string_view take_line(std::string_view& text) {
  const std::size_t length = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, length);
  text.remove_prefix(std::min(length + 1, text.size()));
  return line;
}

// `parent<TAB>X/X<TAB>reason`
Result<TimelineStay> parse_stay(std::string_view line) {
  TimelineStay stay;
  const auto [stop, error] =
      std::from_chars(line.data(), line.data() + line.size(), stay.timeline.value);
  std::string_view rest = line.substr(static_cast<std::size_t>(stop - line.data()));
  if (error != std::errc() || !rest.starts_with('\t')) return bad_history(line);
  rest.remove_prefix(1);
  const Result<Lsn> end = parse_lsn(rest.substr(0, std::min(rest.find('\t'), rest.size())));
  if (!end) return bad_history(line);
  stay.end = *end;
  return stay;
}

}  // namespace

Result<std::vector<TimelineStay>> parse_timeline_history(std::string_view content,
                                                         Timeline current) {
  std::vector<TimelineStay> history;
  TimelineStay last{.timeline = {}, .begin = {}, .end = {}};
  while (!content.empty()) {
    const std::string_view line = take_line(content);
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first == line.npos || line[first] == '#') continue;
    PV_TRY_ASSIGN(TimelineStay stay, parse_stay(line.substr(first)));
    stay.begin = last.end;
    if (stay.timeline <= last.timeline || stay.end < stay.begin) return bad_history(line);
    if (history.size() == kHistoryLinesMax) return bad_history("too many lines");
    history.push_back(stay);
    last = stay;
  }
  if (current <= last.timeline) return bad_history("does not lead to the current timeline");
  history.push_back({.timeline = current, .begin = last.end, .end = {}});
  return history;
}

std::optional<std::string> why_not_in_history(const std::vector<TimelineStay>& history,
                                              const WalRange& range, Lsn newest) {
  const auto stay = std::find_if(history.begin(), history.end(), [&](const TimelineStay& each) {
    return each.timeline == range.timeline;
  });
  const Timeline current = history.back().timeline;
  if (stay == history.end()) {
    return fmt::format("timeline {} is not in the history of the server, which is on timeline {}",
                       range.timeline.value, current.value);
  }
  const bool is_current = stay->timeline == current;
  if (range.end > (is_current ? newest : stay->end)) {
    return fmt::format("it has WAL of timeline {} up to {}, which the server {} at {}",
                       range.timeline.value, to_text(range.end), is_current ? "is on" : "left",
                       to_text(is_current ? newest : stay->end));
  }
  return std::nullopt;
}

Lsn covered_until(const std::vector<WalRange>& summaries, Timeline timeline, Lsn start) {
  std::vector<WalRange> sorted;
  for (const WalRange& each : summaries) {
    if (each.timeline == timeline) sorted.push_back(each);
  }
  std::sort(sorted.begin(), sorted.end(),
            [](const WalRange& a, const WalRange& b) { return a.start < b.start; });
  Lsn until = start;
  for (const WalRange& each : sorted) {
    if (each.start > until) break;
    until = std::max(until, each.end);
  }
  return until;
}

}  // namespace pagevault::pgsupport
