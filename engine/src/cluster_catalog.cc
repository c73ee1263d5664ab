#include "pagevault/engine/cluster_catalog.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "pagevault/engine/tree.h"
#include "piece_writer.h"

namespace pagevault::engine {
namespace {

std::string_view without_slash(std::string_view path) {
  return path.starts_with('/') ? path.substr(1) : path;
}

pgsupport::CatalogFileReader reader_of(Workspace& workspace, const repo::Snapshot& snapshot) {
  return [&workspace, &snapshot](const std::string& path,
                                 const std::function<Status(ByteView)>& sink) -> Status {
    PV_TRY(workspace.cancel().check());
    PV_TRY_ASSIGN(const repo::Entry entry, find_entry(workspace, snapshot, path));
    if (entry.info.type != FileType::Regular) return Error(ErrorCode::NotFound, path);
    Status written = PieceWriter(workspace, sink).write(entry, path);
    if (written || written.error().code() != ErrorCode::NotFound) return written;
    // The file is there, its bytes are not: that is no catalog without a file.
    return Error(ErrorCode::Corrupt, written.error().message());
  };
}

class SizeTable {
 public:
  explicit SizeTable(ClusterCatalog& catalog) : catalog_(catalog) {}

  Status add(const std::string& path, const repo::Entry& entry) {
    const auto file = pgsupport::parse_relation_file(without_slash(path));
    if (!file || entry.info.type != FileType::Regular) return ok();
    const auto [at, is_new] =
        rows_.try_emplace(std::tuple(file->tablespace, file->database, file->relation));
    RelationSize& row = at->second;
    if (is_new) {
      PV_TRY_ASSIGN(row.name, catalog_.name_of(path));
    }
    if (is_new || (file->fork == 0 && file->segment == 0)) row.path = path;
    ++row.files;
    (file->fork == 0 ? row.bytes_main : row.bytes_other) += entry.info.size;
    return ok();
  }

  std::vector<RelationSize> take() {
    std::vector<RelationSize> out;
    out.reserve(rows_.size());
    for (auto& [key, row] : rows_) out.push_back(std::move(row));
    std::ranges::stable_sort(out, std::ranges::greater(), [](const RelationSize& row) {
      return row.bytes_main + row.bytes_other;
    });
    return out;
  }

 private:
  ClusterCatalog& catalog_;
  std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>, RelationSize> rows_;
};

}  // namespace

std::unique_ptr<ClusterCatalog> ClusterCatalog::open(Workspace& workspace,
                                                     const repo::Snapshot& snapshot) {
  if (!snapshot.postgres) return nullptr;
  const repo::PostgresRecord& record = *snapshot.postgres;
  auto catalog = pgsupport::Catalog::open(record.major_version, record.block_bytes,
                                          reader_of(workspace, snapshot));
  if (!catalog) return nullptr;
  return std::unique_ptr<ClusterCatalog>(
      new ClusterCatalog(std::move(catalog).value(), record.block_bytes));
}

Result<std::optional<pgsupport::RelationName>> ClusterCatalog::name_of(std::string_view path) {
  const auto file = pgsupport::parse_relation_file(without_slash(path));
  if (!file) return std::optional<pgsupport::RelationName>();
  auto name = catalog_.name_of(*file);
  if (name || name.error().code() == ErrorCode::Cancelled) return name;
  problems_.push_back(name.error().message());
  return std::optional<pgsupport::RelationName>();
}

Result<std::vector<RelationSize>> relation_sizes(Workspace& workspace,
                                                 const repo::Snapshot& snapshot,
                                                 ClusterCatalog& catalog) {
  SizeTable table(catalog);
  const auto visit = [&](const std::string& path, const repo::Entry& entry) -> Result<bool> {
    PV_TRY(workspace.cancel().check());
    PV_TRY(table.add(path, entry));
    return true;
  };
  PV_TRY(walk_tree(workspace, root_entry(snapshot), "", visit));
  return table.take();
}

}  // namespace pagevault::engine
