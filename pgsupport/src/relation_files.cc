#include "pagevault/pgsupport/relation_files.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "pagevault/pgsupport/control_file.h"

namespace pagevault::pgsupport {
namespace {

constexpr std::array<std::string_view, 3> kForkSuffixes = {"_fsm", "_vm", "_init"};

// Takes a number without sign or leading zeros off the front of `text`; false when there is none or
// it does not fit 32 bits.
bool take_number(std::string_view& text, std::uint32_t lowest, std::uint32_t& value) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || value < lowest) return false;
  if (text.front() == '0' && stop != text.data() + 1) return false;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  return true;
}

bool take_oid(std::string_view text, std::uint32_t& oid) {
  return take_number(text, 1, oid) && text.empty();
}

// `[t<backend>_]<relfilenode>[_fsm|_vm|_init][.<segment>]`
bool take_relation_name(std::string_view name, RelationFile& out) {
  if (name.starts_with('t')) {  // Backend numbers start at 0 since PostgreSQL 17.
    std::uint32_t backend = 0;
    name.remove_prefix(1);
    if (!take_number(name, 0, backend) || !name.starts_with('_')) return false;
    name.remove_prefix(1);
    out.temporary = true;
  }
  if (!take_number(name, 1, out.relation)) return false;
  for (std::uint32_t fork = 1; fork <= kForkSuffixes.size(); ++fork) {
    const std::string_view suffix = kForkSuffixes[fork - 1];
    if (!name.starts_with(suffix)) continue;
    name.remove_prefix(suffix.size());
    out.fork = fork;
    break;
  }
  if (!name.starts_with('.')) return name.empty();
  name.remove_prefix(1);
  return take_number(name, 1, out.segment) && name.empty();
}

// The part up to the next '/', which is taken off with it; all of it when there is none.
std::string_view take_component(std::string_view& path) {
  const std::size_t length = std::min(path.find('/'), path.size());
  const std::string_view component = path.substr(0, length);
  path.remove_prefix(std::min(length + 1, path.size()));
  return component;
}

}  // namespace

bool is_relation_file(std::string_view path) { return parse_relation_file(path).has_value(); }

std::optional<RelationFile> parse_relation_file(std::string_view path) {
  RelationFile out;
  const std::string_view top = take_component(path);
  if (top == "global") {
    out.tablespace = kGlobalTablespace;
  } else if (top == "pg_tblspc") {
    if (!take_oid(take_component(path), out.tablespace)) return std::nullopt;
    const std::string_view version = take_component(path);
    if (!version.starts_with("PG_") || version.size() == 3) return std::nullopt;
  } else if (top != "base") {
    return std::nullopt;
  }
  if (top != "global" && !take_oid(take_component(path), out.database)) return std::nullopt;
  if (!take_relation_name(path, out)) return std::nullopt;
  return out;
}

Result<std::uint32_t> block_size_from_control(ByteView pg_control) {
  const auto control = parse_control_file(pg_control);
  if (control) return control->block_bytes;
  if (control.error().code() == ErrorCode::Unsupported) return kBlockSizeDefault;
  return control.error();
}

}  // namespace pagevault::pgsupport
