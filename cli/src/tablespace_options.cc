#include "tablespace_options.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace pagevault::cli {
namespace {

constexpr std::string_view kMap = "tablespace-map";
constexpr std::string_view kRecoveryOption = "recovery-option";
constexpr std::string_view kNoSignal = "no-recovery-signal";
constexpr std::string_view kAll = "all";
constexpr std::string_view kInPlace = "in-place";

Error refused(std::string_view option, std::string_view value, std::string_view wanted) {
  return {ErrorCode::InvalidArgument,
          fmt::format("option --{}: '{}' is not {}", option, value, wanted)};
}

// What stands before and behind the first '='.
Result<std::pair<std::string, std::string>> split(std::string_view option, const std::string& text,
                                                  std::string_view wanted) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) return refused(option, text, wanted);
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

Result<std::uint32_t> parse_oid(const std::string& text, const std::string& whole) {
  std::uint32_t oid = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), oid);
  if (failure == std::errc() && end == text.data() + text.size() && oid != 0) return oid;
  return refused(kMap, whole, "OID=DIR, OID=in-place or all=DIR");
}

Status add_place(engine::ClusterOptions& out, const std::string& text) {
  PV_TRY_ASSIGN(const auto parts, split(kMap, text, "OID=DIR, OID=in-place or all=DIR"));
  const auto& [which, where] = parts;
  const bool in_place = where == kInPlace && which != kAll;
  if (!in_place && !where.starts_with('/')) return refused(kMap, text, "an absolute folder");
  if (which == kAll) {
    if (!out.tablespaces_below.empty()) return refused(kMap, text, "the only one for all");
    out.tablespaces_below = where;
    return ok();
  }
  PV_TRY_ASSIGN(const std::uint32_t oid, parse_oid(which, text));
  out.tablespaces.push_back({.oid = oid, .directory = in_place ? std::string() : where});
  return ok();
}

}  // namespace

OptionSpecs cluster_option_specs() {
  using enum OptionKind;
  return {{kMap, 0, List, "OID=DIR",
           "where a PostgreSQL tablespace goes: OID=DIR, OID=in-place (a folder in pg_tblspc), or "
           "all=DIR for DIR/OID"},
          {kRecoveryOption, 0, List, "NAME=VALUE",
           "a setting for PostgreSQL's recovery, as restore_command='cp /wal/%f %p'"},
          {kNoSignal, 0, Flag, {}, "PostgreSQL: leave no recovery.signal"}};
}

Result<engine::ClusterOptions> parse_cluster_options(const Options& options) {
  engine::ClusterOptions out;
  out.recovery_signal = !options.has(kNoSignal);
  for (const std::string& text : options.list(kMap)) PV_TRY(add_place(out, text));
  for (const std::string& text : options.list(kRecoveryOption)) {
    PV_TRY_ASSIGN(auto parts, split(kRecoveryOption, text, "NAME=VALUE"));
    out.recovery_options.push_back({std::move(parts.first), std::move(parts.second)});
  }
  return out;
}

}  // namespace pagevault::cli
