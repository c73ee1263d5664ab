#include "pagevault/engine/relation_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "changed_pages.h"

namespace pagevault::engine {
namespace {

using pgsupport::RelationFile;
using pgsupport::RelationName;

constexpr std::uint64_t kRelationExtentsKept = 8 * kMiB;

bool is_of_content(const Difference& difference) {
  if (difference.kind == Difference::Kind::Added || difference.kind == Difference::Kind::Removed)
    return true;
  return difference.kind == Difference::Kind::Content &&
         difference.after->info.type == FileType::Regular;
}

// Relations without a name by their place; no name holds a NUL.
std::string relation_key(const RelationFile& file, const std::optional<RelationName>& name) {
  if (!name) return fmt::format("{}/{}/{}", file.tablespace, file.database, file.relation);
  std::string key;
  for (const std::string* const part : {&name->database, &name->schema, &name->name}) {
    key += *part;
    key += '\0';
  }
  return key + name->kind;
}

}  // namespace

struct RelationDiff::State {
  Workspace& workspace;
  std::unique_ptr<ClusterCatalog> before;
  std::unique_ptr<ClusterCatalog> after;
  std::uint32_t block_bytes;
  ExtentCache cache{workspace, kRelationExtentsKept};
  std::map<std::string, RelationDifference> rows = {};

  std::uint64_t pages_in(std::uint64_t bytes) const {
    return bytes / block_bytes + (bytes % block_bytes == 0 ? 0 : 1);
  }
  Result<std::optional<RelationName>> name_of(const Difference& difference);
  Result<std::uint64_t> changed_pages(const Difference& difference);
};

Result<std::optional<RelationName>> RelationDiff::State::name_of(const Difference& difference) {
  // A file that is gone may have given its number to another.
  if (difference.kind == Difference::Kind::Removed) return before->name_of(difference.path);
  PV_TRY_ASSIGN(auto name, after->name_of(difference.path));
  if (name || difference.kind == Difference::Kind::Added) return name;
  return before->name_of(difference.path);
}

Result<std::uint64_t> RelationDiff::State::changed_pages(const Difference& difference) {
  if (difference.kind == Difference::Kind::Removed) return std::uint64_t{0};
  if (difference.kind == Difference::Kind::Added) return pages_in(difference.bytes_after);
  PageImage left(workspace, cache, *difference.before, block_bytes);
  PageImage right(workspace, cache, *difference.after, block_bytes);
  std::uint64_t changed = 0;
  PV_TRY(visit_changed_pages(workspace, {*difference.before, left}, {*difference.after, right},
                             block_bytes, [&changed](std::uint64_t) { ++changed; }));
  const std::uint64_t in_both = std::min(left.page_count(), right.page_count());
  return changed + right.page_count() - in_both;
}

std::unique_ptr<RelationDiff> RelationDiff::open(Workspace& workspace, const repo::Snapshot& before,
                                                 const repo::Snapshot& after) {
  auto left = ClusterCatalog::open(workspace, before);
  auto right = ClusterCatalog::open(workspace, after);
  if (!left || !right || left->block_bytes() != right->block_bytes()) return nullptr;
  const std::uint32_t block_bytes = right->block_bytes();
  return std::unique_ptr<RelationDiff>(new RelationDiff(std::unique_ptr<State>(
      new State{workspace, std::move(left), std::move(right), block_bytes})));
}

RelationDiff::RelationDiff(std::unique_ptr<State> state) : state_(std::move(state)) {}
RelationDiff::~RelationDiff() = default;

Result<std::optional<RelationFileDifference>> RelationDiff::add(const Difference& difference) {
  const std::string_view path(difference.path);
  const auto file = pgsupport::parse_relation_file(path.substr(path.starts_with('/') ? 1 : 0));
  if (!file || !is_of_content(difference)) return std::optional<RelationFileDifference>();
  RelationFileDifference out{.name = {},
                             .pages_before = state_->pages_in(difference.bytes_before),
                             .pages_after = state_->pages_in(difference.bytes_after)};
  PV_TRY_ASSIGN(out.name, state_->name_of(difference));
  PV_TRY_ASSIGN(out.pages_changed, state_->changed_pages(difference).context(difference.path));
  RelationDifference& row = state_->rows[relation_key(*file, out.name)];
  if (row.files == 0 || difference.kind != Difference::Kind::Removed) row.path = difference.path;
  row.name = out.name;
  ++row.files;
  (file->fork == 0 ? row.pages_changed : row.pages_changed_other) += out.pages_changed;
  row.bytes_before += difference.bytes_before;
  row.bytes_after += difference.bytes_after;
  return std::optional(std::move(out));
}

std::vector<RelationDifference> RelationDiff::take() {
  std::vector<RelationDifference> out;
  out.reserve(state_->rows.size());
  for (auto& [key, row] : state_->rows) out.push_back(std::move(row));
  state_->rows.clear();
  std::ranges::stable_sort(out, std::ranges::greater(), [](const RelationDifference& row) {
    const auto [less, more] = std::minmax(row.bytes_before, row.bytes_after);
    return std::tuple(row.pages_changed, row.pages_changed_other, more - less);
  });
  return out;
}

std::vector<std::string> RelationDiff::problems() const {
  std::vector<std::string> out = state_->before->problems();
  const std::vector<std::string>& more = state_->after->problems();
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

}  // namespace pagevault::engine
