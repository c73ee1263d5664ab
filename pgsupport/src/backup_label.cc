#include "pagevault/pgsupport/backup_label.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "pagevault/base/bytes.h"

namespace pagevault::pgsupport {

namespace {

constexpr std::size_t kLabelBytesMax = 64 * kKiB;

Error corrupt(std::string_view problem) {
  return {ErrorCode::Corrupt, fmt::format("{}: {}", kBackupLabelFile, problem)};
}

// The next line without its end, taken off `text`; nothing when no whole line is left.
std::optional<std::string_view> take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

// The value of the next line, which must be `key`.
Result<std::string_view> take_value(std::string_view& text, std::string_view key) {
  const auto line = take_line(text);
  const std::string start = fmt::format("{}: ", key);
  if (!line || !line->starts_with(start)) {
    return corrupt(fmt::format("the line '{}' is missing or in another place", key));
  }
  return line->substr(start.size());
}

Result<Timeline> parse_timeline(std::string_view text) {
  std::uint32_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || value == 0) {
    return corrupt(fmt::format("'{}' is no timeline", text));
  }
  return Timeline{value};
}

Result<Lsn> parse_position(std::string_view text) {
  auto lsn = parse_lsn(text);
  if (!lsn) return corrupt(lsn.error().message());
  return *lsn;
}

// `X/X (file <24 digits>)`
Status parse_start(std::string_view text, BackupLabel& out) {
  const std::size_t space = text.find(" (file ");
  if (space == std::string_view::npos || !text.ends_with(')')) {
    return corrupt("START WAL LOCATION names no file");
  }
  PV_TRY_ASSIGN(out.start.lsn, parse_position(text.substr(0, space)));
  const std::string_view file = text.substr(space + 7, text.size() - space - 8);
  if (!is_wal_segment_name(file)) return corrupt("START WAL LOCATION names no WAL segment");
  out.start_segment = std::string(file);
  return ok();
}

Status parse_incremental(std::string_view& text, BackupLabel& out) {
  if (text.empty()) return ok();
  PV_TRY_ASSIGN(const auto lsn, take_value(text, "INCREMENTAL FROM LSN"));
  PV_TRY_ASSIGN(const auto timeline, take_value(text, "INCREMENTAL FROM TLI"));
  WalPoint& from = out.incremental_from.emplace();
  PV_TRY_ASSIGN(from.lsn, parse_position(lsn));
  PV_TRY_ASSIGN(from.timeline, parse_timeline(timeline));
  return text.empty() ? ok() : Status(corrupt("more lines than a label has"));
}

// Backslashes before newline, carriage return and backslash.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    out += text[i];
  }
  return out;
}

// The next line, whose end is a newline without a backslash before it.
std::optional<std::string_view> take_escaped_line(std::string_view& text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '\n') {
      const std::string_view line = text.substr(0, i);
      text.remove_prefix(i + 1);
      return line;
    }
  }
  return std::nullopt;
}

}  // namespace

Result<BackupLabel> parse_backup_label(std::string_view text) {
  if (text.size() > kLabelBytesMax) return corrupt("too long");
  BackupLabel out;
  PV_TRY_ASSIGN(const auto start, take_value(text, "START WAL LOCATION"));
  PV_TRY(parse_start(start, out));
  PV_TRY_ASSIGN(const auto checkpoint, take_value(text, "CHECKPOINT LOCATION"));
  PV_TRY_ASSIGN(out.checkpoint, parse_position(checkpoint));
  PV_TRY_ASSIGN(const auto method, take_value(text, "BACKUP METHOD"));
  if (method != "streamed") return corrupt(fmt::format("unknown method '{}'", method));
  PV_TRY_ASSIGN(const auto from, take_value(text, "BACKUP FROM"));
  out.from_standby = from == "standby";
  if (!out.from_standby && from != "primary") return corrupt("from neither primary nor standby");
  PV_TRY_ASSIGN(const auto time, take_value(text, "START TIME"));
  out.start_time = std::string(time);
  PV_TRY_ASSIGN(const auto label, take_value(text, "LABEL"));
  out.label = std::string(label);
  PV_TRY_ASSIGN(const auto timeline, take_value(text, "START TIMELINE"));
  PV_TRY_ASSIGN(out.start.timeline, parse_timeline(timeline));
  PV_TRY(parse_incremental(text, out));
  if (out.start_segment.substr(0, 8) != fmt::format("{:08X}", out.start.timeline.value)) {
    return corrupt("START WAL LOCATION and START TIMELINE disagree");
  }
  return out;
}

std::string without_incremental_lines(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1);
    const std::string_view line = text.substr(0, end + 1);
    if (!line.starts_with("INCREMENTAL FROM ")) out += line;
    text.remove_prefix(end + 1);
  }
  return out;
}

Result<std::map<std::uint32_t, std::string>> parse_tablespace_map(std::string_view text) {
  std::map<std::uint32_t, std::string> out;
  while (!text.empty()) {
    const auto line = take_escaped_line(text);
    const std::size_t space = line ? line->find(' ') : std::string_view::npos;
    std::uint32_t oid = 0;
    bool is_oid = space != std::string_view::npos;
    if (is_oid) {
      const char* const end = line->data() + space;
      const auto [stop, error] = std::from_chars(line->data(), end, oid);
      is_oid = error == std::errc() && stop == end && oid != 0;
    }
    std::string path = is_oid ? unescaped(line->substr(space + 1)) : "";
    const bool is_path = path.starts_with('/') && path.find('\0') == std::string::npos;
    if (!is_path || !out.emplace(oid, std::move(path)).second) {
      return Error(ErrorCode::Corrupt,
                   fmt::format("{}: a line is not an OID, used once, and an absolute path",
                               kTablespaceMapFile));
    }
  }
  return out;
}

}  // namespace pagevault::pgsupport
