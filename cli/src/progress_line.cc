#include "progress_line.h"

#include <fmt/format.h>

#include "escape.h"
#include "human_numbers.h"
#include "json_text.h"
#include "terminal.h"

namespace pagevault::cli {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::string clock_text(std::int64_t ns) {
  const std::int64_t seconds = ns / kSecond;
  return fmt::format("{}:{:02}", seconds / 60, seconds % 60);
}

std::int64_t remaining_ns(const Progress& progress, std::int64_t elapsed_ns) {
  const double left = static_cast<double>(progress.total - progress.done);
  return static_cast<std::int64_t>(static_cast<double>(elapsed_ns) * left /
                                   static_cast<double>(progress.done));
}

bool knows_the_end(const Progress& progress) {
  return progress.done > 0 && progress.total >= progress.done;
}

}  // namespace

std::string progress_text(const Progress& progress, std::int64_t elapsed_ns, std::size_t columns) {
  std::string out = fmt::format("[{}] ", clock_text(elapsed_ns));
  if (progress.total > 0) out += human_share(progress.done, progress.total) + "  ";
  out += fmt::format("{} {}", human_count(progress.items), progress.unit);
  if (progress.bytes) {
    const double seconds = static_cast<double>(elapsed_ns + 1) / kSecond;
    const auto rate = static_cast<std::uint64_t>(static_cast<double>(*progress.bytes) / seconds);
    out += fmt::format(", {}, {}/s", human_bytes(*progress.bytes), human_bytes(rate));
  }
  if (knows_the_end(progress)) {
    out += fmt::format(", {} left", clock_text(remaining_ns(progress, elapsed_ns)));
  }
  out += "  ";
  // One column stays free: a full line would wrap and could not be erased.
  if (out.size() + 1 >= columns) return keep_end(out, columns - 1);
  return out + keep_end(escape_for_terminal(progress.current), columns - 1 - out.size());
}

void ProgressLine::update(const Progress& progress) {
  if (console_.shows_progress()) {
    console_.progress(progress_text(progress, elapsed_ns(), terminal_columns()));
  } else if (console_.json() && !console_.quiet()) {
    print_status(progress);
  }
}

void ProgressLine::print_status(const Progress& progress) {
  const std::int64_t elapsed = elapsed_ns();
  if (elapsed - printed_ns_ < kSecond) return;
  printed_ns_ = elapsed;
  Json status = {{"message_type", "status"},
                 {"seconds_elapsed", elapsed / kSecond},
                 {std::string(progress.unit) + "_done", progress.items}};
  if (progress.bytes) status["bytes_done"] = *progress.bytes;
  if (progress.total > 0) {
    status["percent_done"] =
        static_cast<double>(progress.done) / static_cast<double>(progress.total);
  }
  if (!progress.current.empty()) put_name(status, "current", progress.current);
  console_.json_line(status);
}

}  // namespace pagevault::cli
