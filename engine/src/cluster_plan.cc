#include "cluster_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "pagevault/base/path.h"

namespace pagevault::engine {

namespace {

Error refused(std::string message) { return {ErrorCode::InvalidArgument, std::move(message)}; }

Result<std::string> normal_form(std::uint32_t oid, const std::string& directory) {
  const std::vector<std::string> parts = split_path(directory);
  if (!directory.starts_with('/') || parts.empty() ||
      std::ranges::find(parts, "..") != parts.end()) {
    return refused(fmt::format(
        "tablespace {}: '{}' is no place for it, which must be an absolute path without '..'", oid,
        directory));
  }
  std::string out;
  for (const std::string& part : parts) out += "/" + part;
  return out;
}

// `inner` is `outer` or lies in it.
bool lies_within(const std::string& inner, const std::string& outer) {
  const auto deep = split_path(inner);
  const auto high = split_path(outer);
  return deep.size() >= high.size() && std::equal(high.begin(), high.end(), deep.begin());
}

bool overlap(const std::string& a, const std::string& b) {
  return lies_within(a, b) || lies_within(b, a);
}

Status check_known(const repo::PostgresRecord& record, const ClusterOptions& options) {
  for (const TablespaceTarget& each : options.tablespaces) {
    if (!std::ranges::binary_search(record.tablespaces, each.oid, {},
                                    &repo::PostgresTablespace::oid)) {
      return refused(fmt::format("tablespace {} is not in the snapshot", each.oid));
    }
    if (std::ranges::count(options.tablespaces, each.oid, &TablespaceTarget::oid) > 1) {
      return refused(fmt::format("tablespace {} has more than one place", each.oid));
    }
  }
  return ok();
}

// The user's word first; then the folder for all. Nothing: it has no place.
std::optional<TablespaceTarget> place_of(const repo::PostgresTablespace& tablespace,
                                         const ClusterOptions& options) {
  const std::uint32_t oid = tablespace.oid;
  const auto named = std::ranges::find(options.tablespaces, oid, &TablespaceTarget::oid);
  if (named != options.tablespaces.end()) return *named;
  if (tablespace.location.empty()) return TablespaceTarget{.oid = oid, .directory = ""};
  if (options.tablespaces_below.empty()) return std::nullopt;
  return TablespaceTarget{.oid = oid,
                          .directory = join_path(options.tablespaces_below, std::to_string(oid))};
}

Error homeless(const std::vector<repo::PostgresTablespace>& tablespaces) {
  std::string list;
  for (const repo::PostgresTablespace& each : tablespaces) {
    list += fmt::format("{}--tablespace-map {}=DIR (was at {})", list.empty() ? "" : ", ", each.oid,
                        each.location);
  }
  return refused(
      fmt::format("tablespaces lay outside of the data directory; say where each goes: {}; or "
                  "--tablespace-map all=DIR for DIR/<oid>, or OID=in-place for a folder in "
                  "pg_tblspc. They never go to where they were by themselves: that may be in use",
                  list));
}

Status check_apart(const std::vector<TablespaceTarget>& places, const std::string& target) {
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (places[i].directory.empty()) continue;
    if (overlap(places[i].directory, target)) {
      return refused(
          fmt::format("tablespace {}: {} and the target {} lie one within the other; it "
                      "must be outside",
                      places[i].oid, places[i].directory, target));
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (places[j].directory.empty() || !overlap(places[i].directory, places[j].directory)) {
        continue;
      }
      return refused(fmt::format("tablespaces {} and {} have places that lie one within the other",
                                 places[j].oid, places[i].oid));
    }
  }
  return ok();
}

}  // namespace

Result<std::vector<TablespaceTarget>> place_tablespaces(const repo::PostgresRecord& record,
                                                        const ClusterOptions& options,
                                                        const std::string& target) {
  PV_TRY(check_known(record, options));
  std::vector<TablespaceTarget> places;
  std::vector<repo::PostgresTablespace> without;
  for (const repo::PostgresTablespace& tablespace : record.tablespaces) {
    auto place = place_of(tablespace, options);
    if (!place) {
      without.push_back(tablespace);
      continue;
    }
    if (!place->directory.empty()) {
      PV_TRY_ASSIGN(place->directory, normal_form(place->oid, place->directory));
    }
    places.push_back(std::move(*place));
  }
  if (!without.empty()) return homeless(without);
  PV_TRY(check_apart(places, target));
  return places;
}

std::string tablespace_path(std::uint32_t oid) { return fmt::format("/pg_tblspc/{}", oid); }

}  // namespace pagevault::engine
