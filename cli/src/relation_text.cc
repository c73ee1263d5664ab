#include "relation_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "entry_text.h"
#include "escape.h"
#include "human_numbers.h"
#include "json_text.h"
#include "table_text.h"

namespace pagevault::cli {
namespace {

using pgsupport::RelationName;

constexpr std::size_t kRelationsShown = 50;
constexpr std::array<std::string_view, 4> kForkWords = {"main", "free space map", "visibility map",
                                                        "init fork"};
constexpr std::array<std::string_view, 4> kForkNames = {"main", "fsm", "vm", "init"};

// Of pg_class.relkind.
std::string_view relation_type_name(char kind) {
  switch (kind) {
    case 'r':
      return "table";
    case 'i':
      return "index";
    case 't':
      return "toast";
    case 'm':
      return "materialized_view";
    case 'S':
      return "sequence";
    default:
      return "other";
  }
}

std::string name_or_path(const MaybeRelation& name, const std::string& path) {
  return name ? relation_name_text(*name) : display_path(path);
}

std::string kind_or_nothing(const MaybeRelation& name) {
  return name ? relation_kind_text(*name) : std::string("-");
}

void put_relation(Json& out, const MaybeRelation& name, const std::string& path) {
  if (name) {
    if (!name->database.empty()) put_name(out, "database", name->database);
    put_name(out, "schema", name->schema);
    put_name(out, "name", name->name);
    out["kind"] = relation_type_name(name->kind);
    if (!name->toast_of.empty()) put_name(out, "toast_of", name->toast_of);
  }
  if (!path.empty()) put_name(out, "path", path.starts_with('/') ? path : "/" + path);
}

std::string growth_text(std::uint64_t before, std::uint64_t after) {
  if (before == after) return "-";
  return before < after ? "+" + human_bytes(after - before) : "-" + human_bytes(before - after);
}

std::optional<pgsupport::RelationFile> file_at(const std::string& path) {
  return pgsupport::parse_relation_file(std::string_view(path).substr(path.starts_with('/')));
}

}  // namespace

std::string relation_name_text(const RelationName& name) {
  std::string out;
  for (const std::string* const part : {&name.database, &name.schema, &name.name}) {
    if (part->empty()) continue;
    if (!out.empty()) out += '.';
    out += escape_for_terminal(*part);
  }
  return out;
}

std::string relation_kind_text(const RelationName& name) {
  if (name.kind == 'm') return "materialized view";
  if (name.kind != 't') return std::string(relation_type_name(name.kind));
  return name.toast_of.empty() ? "TOAST" : "TOAST of " + escape_for_terminal(name.toast_of);
}

std::string relation_file_text(const std::string& path, const RelationName& name) {
  std::string out = fmt::format("{}, {}", relation_name_text(name), relation_kind_text(name));
  const auto file = file_at(path);
  if (!file) return out;
  if (file->fork != 0) out += fmt::format(", {}", kForkWords[file->fork]);
  if (file->segment != 0) out += fmt::format(", segment {}", file->segment);
  return out;
}

Json relation_file_json(const std::string& path, const RelationName& name) {
  Json out = Json::object();
  put_relation(out, name, "");
  if (const auto file = file_at(path)) {
    out["fork"] = kForkNames[file->fork];
    out["segment"] = file->segment;
  }
  return out;
}

std::vector<std::string> relation_size_lines(const std::vector<engine::RelationSize>& sizes) {
  using enum TableText::Align;
  TableText table(
      {{"Size", Right}, {"Main", Right}, {"Other forks", Right}, {"Kind"}, {"Relation"}});
  for (const engine::RelationSize& size : sizes) {
    table.add({human_bytes(size.bytes_main + size.bytes_other), human_bytes(size.bytes_main),
               human_bytes(size.bytes_other), kind_or_nothing(size.name),
               name_or_path(size.name, size.path)});
  }
  std::vector<std::string> out = table.lines();
  out.push_back(human_plural(sizes.size(), "relation"));
  return out;
}

Json relation_size_json(const engine::RelationSize& size) {
  Json out = Json::object();
  put_relation(out, size.name, size.path);
  out["size"] = size.bytes_main + size.bytes_other;
  out["size_main"] = size.bytes_main;
  out["size_other_forks"] = size.bytes_other;
  out["files"] = size.files;
  return out;
}

std::vector<std::string> relation_diff_lines(
    const std::vector<engine::RelationDifference>& relations) {
  if (relations.empty()) return {};
  using enum TableText::Align;
  TableText table({{"Pages", Right},
                   {"Other forks", Right},
                   {"Growth", Right},
                   {"Files", Right},
                   {"Kind"},
                   {"Relation"}});
  const std::size_t shown = std::min(relations.size(), kRelationsShown);
  for (std::size_t i = 0; i < shown; ++i) {
    const engine::RelationDifference& row = relations[i];
    table.add({human_count(row.pages_changed), human_count(row.pages_changed_other),
               growth_text(row.bytes_before, row.bytes_after), human_count(row.files),
               kind_or_nothing(row.name), name_or_path(row.name, row.path)});
  }
  std::vector<std::string> out = table.lines();
  if (shown < relations.size()) {
    out.push_back(fmt::format("and {} more", human_count(relations.size() - shown)));
  }
  return out;
}

Json relation_diff_json(const engine::RelationDifference& relation) {
  Json out = {{"message_type", "relation"}};
  put_relation(out, relation.name, relation.path);
  out["pages_changed"] = relation.pages_changed;
  out["pages_changed_other_forks"] = relation.pages_changed_other;
  out["bytes_before"] = relation.bytes_before;
  out["bytes_after"] = relation.bytes_after;
  out["files"] = relation.files;
  return out;
}

}  // namespace pagevault::cli
