#include "database_diff_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "escape.h"
#include "human_numbers.h"
#include "json_text.h"

namespace pagevault::cli {
namespace {

using sqlitesupport::PageOwner;
using sqlitesupport::PageOwnerType;

constexpr std::size_t kOwnersShown = 20;

std::string_view owner_type_name(PageOwnerType type) {
  switch (type) {
    case PageOwnerType::Unknown:
      return "unknown";
    case PageOwnerType::Freelist:
      return "freelist";
    case PageOwnerType::PointerMap:
      return "pointer_map";
    case PageOwnerType::LockByte:
      return "lock_byte";
    case PageOwnerType::Schema:
      return "schema";
    case PageOwnerType::Table:
      return "table";
    case PageOwnerType::Index:
      return "index";
  }
  return "unknown";
}

std::string owner_text(const PageOwner& owner) {
  switch (owner.type) {
    case PageOwnerType::Unknown:
      return "pages of unknown use";
    case PageOwnerType::Freelist:
      return "free pages";
    case PageOwnerType::PointerMap:
      return "pointer map";
    case PageOwnerType::LockByte:
      return "lock-byte page";
    case PageOwnerType::Schema:
      return "schema";
    case PageOwnerType::Table:
      return "table " + escape_for_terminal(owner.name);
    case PageOwnerType::Index:
      break;
  }
  return fmt::format("index {} of {}", escape_for_terminal(owner.name),
                     escape_for_terminal(owner.table));
}

std::string owner_line(const engine::OwnerDifference& row) {
  const std::string size = row.pages_before == row.pages_after
                               ? human_plural(row.pages_after, "page")
                               : fmt::format("{} -> {}", human_count(row.pages_before),
                                             human_plural(row.pages_after, "page"));
  return fmt::format("       {}: {}, {} changed", owner_text(row.owner), size,
                     human_count(row.pages_changed));
}

}  // namespace

std::vector<std::string> database_diff_lines(const engine::DatabaseDiff& diff) {
  std::vector<std::string> out;
  const std::size_t shown = std::min(diff.owners.size(), kOwnersShown);
  for (std::size_t i = 0; i < shown; ++i) out.push_back(owner_line(diff.owners[i]));
  if (shown < diff.owners.size()) {
    out.push_back(fmt::format("       and {} more", human_count(diff.owners.size() - shown)));
  }
  return out;
}

Json database_diff_json(const engine::DatabaseDiff& diff) {
  Json owners = Json::array();
  for (const engine::OwnerDifference& row : diff.owners) {
    Json owner = {{"type", owner_type_name(row.owner.type)}};
    if (!row.owner.name.empty()) put_name(owner, "name", row.owner.name);
    if (row.owner.type == PageOwnerType::Index) put_name(owner, "table", row.owner.table);
    owner["pages_before"] = row.pages_before;
    owner["pages_after"] = row.pages_after;
    owner["pages_changed"] = row.pages_changed;
    owners.push_back(std::move(owner));
  }
  return {{"page_size", diff.page_size},     {"pages_before", diff.pages_before},
          {"pages_after", diff.pages_after}, {"pages_changed", diff.pages_changed},
          {"complete", diff.complete},       {"owners", std::move(owners)}};
}

}  // namespace pagevault::cli
