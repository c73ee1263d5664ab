// Which way names are found without a server:
//
// 1. global/pg_filenode.map says which file pg_database is, which says the name of each database
//    and the tablespace that its catalogs are in.
// 2. There another pg_filenode.map says which file pg_class is. Its rows give each relation its
//    name and file; those whose file the map has (the catalogs that are needed to read pg_class)
//    have none in their row, and neither have the shared ones, whose map is the global one.
// 3. pg_class also says which file pg_namespace is.
//
// Rows of every database name the shared catalogs, so any database that can be read does for them.

#include "pagevault/pgsupport/catalog.h"

#include <fmt/format.h>

#include <bit>

#include "database_names.h"
#include "pagevault/base/codec.h"

namespace pagevault::pgsupport {
namespace {

constexpr std::size_t kDatabasesMax = 65'536;
constexpr std::size_t kRelationsKept = std::size_t{1} << 21U;
constexpr std::size_t kControlBytesMax = 64 * kKiB;
constexpr std::size_t kCatalogVersionAt = 12;

}  // namespace

struct Catalog::State {
  struct Database {
    std::string name;
    std::uint32_t tablespace = 0;
    RowVersion version;
    std::optional<DatabaseNames> names;  // Nothing: not read yet, or given up for others.
    bool unreadable = false;
  };

  std::uint32_t major_version = 0;
  CatalogAccess access;
  bool opened = false;
  std::uint32_t catalog_version = 0;  // 0: not known.
  RelationMap shared;
  std::map<std::uint32_t, Database> databases;

  Status open_once();
  Status read_catalog_version();
  Status read_databases();
  std::string folder_of(std::uint32_t oid, std::uint32_t tablespace) const;
  Result<const DatabaseNames*> names_of(std::uint32_t oid);
  void make_room();
  Result<std::optional<RelationName>> find_shared(std::uint32_t file);
};

Status Catalog::State::open_once() {
  if (opened) return ok();
  opened = true;
  PV_TRY(read_catalog_version());
  PV_TRY_ASSIGN(shared, read_relation_map(access.read, "global"));
  return read_databases();
}

// Names the folder inside tablespaces.
Status Catalog::State::read_catalog_version() {
  PV_TRY_ASSIGN(const auto control,
                read_small_file(access.read, std::string(kControlFile), kControlBytesMax));
  if (control && control->size() >= kCatalogVersionAt + 4) {
    catalog_version = load_le32(ByteView(*control).subspan(kCatalogVersionAt));
  }
  return ok();
}

Status Catalog::State::read_databases() {
  const std::uint32_t file = mapped_file(shared, kDatabaseCatalog);
  if (file == 0) return ok();
  const auto keep = [this](DatabaseRow row, const RowVersion& version) {
    if (databases.size() == kDatabasesMax) return;
    const auto [at, is_new] = databases.try_emplace(row.oid);
    if (!is_new && !version.beats(at->second.version)) return;
    at->second.name = std::move(row.name);
    at->second.tablespace = row.tablespace;
    at->second.version = version;
  };
  return visit_rows(
      access, fmt::format("global/{}", file),
      [this](const HeapTuple& tuple) { return database_row(tuple, access.layout); }, keep);
}

std::string Catalog::State::folder_of(std::uint32_t oid, std::uint32_t tablespace) const {
  if (tablespace == kDefaultTablespace) return fmt::format("base/{}", oid);
  return fmt::format("pg_tblspc/{}/PG_{}_{}/{}", tablespace, major_version, catalog_version, oid);
}

// What was read first goes for what is asked now: listings go from database to database.
void Catalog::State::make_room() {
  std::size_t kept = 0;
  for (const auto& [oid, database] : databases) kept += database.names ? database.names->size() : 0;
  if (kept < kRelationsKept) return;
  for (auto& [oid, database] : databases) database.names.reset();
}

Result<const DatabaseNames*> Catalog::State::names_of(std::uint32_t oid) {
  const auto found = databases.find(oid);
  if (found == databases.end() || found->second.unreadable) return nullptr;
  Database& database = found->second;
  if (!database.names) {
    make_room();
    database.unreadable = true;  // Until it was read.
    const DatabasePlace place{.name = database.name,
                              .tablespace = database.tablespace,
                              .folder = folder_of(oid, database.tablespace)};
    PV_TRY_ASSIGN(database.names, DatabaseNames::read(access, place, shared));
    database.unreadable = false;
  }
  return &*database.names;
}

Result<std::optional<RelationName>> Catalog::State::find_shared(std::uint32_t file) {
  for (const auto& [oid, database] : databases) {
    PV_TRY_ASSIGN(const DatabaseNames* const names, names_of(oid));
    if (names != nullptr && names->size() > 0) return names->find(kGlobalTablespace, file);
  }
  return std::optional<RelationName>();
}

Result<Catalog> Catalog::open(std::uint32_t major_version, std::uint32_t block_bytes,
                              CatalogFileReader read) {
  const auto layout = catalog_layout(major_version);
  if (!layout) {
    return Error(ErrorCode::Unsupported,
                 fmt::format("the catalogs of PostgreSQL {} are not known", major_version));
  }
  if (!std::has_single_bit(block_bytes) || block_bytes < 1024 || block_bytes > 32768) {
    return Error(ErrorCode::Corrupt, fmt::format("impossible block size {}", block_bytes));
  }
  return Catalog(
      std::make_unique<State>(State{.major_version = major_version,
                                    .access = {.layout = *layout,
                                               .block_bytes = block_bytes,
                                               .read = read,
                                               .log = TransactionLog(block_bytes, std::move(read))},
                                    .shared = {},
                                    .databases = {}}));
}

Catalog::Catalog(std::unique_ptr<State> state) : state_(std::move(state)) {}
Catalog::~Catalog() = default;
Catalog::Catalog(Catalog&&) noexcept = default;

Result<std::optional<RelationName>> Catalog::name_of(const RelationFile& file) {
  PV_TRY(state_->open_once());
  if (file.tablespace == kGlobalTablespace) return state_->find_shared(file.relation);
  PV_TRY_ASSIGN(const DatabaseNames* const names, state_->names_of(file.database));
  if (names == nullptr) return std::optional<RelationName>();
  return names->find(file.tablespace, file.relation);
}

}  // namespace pagevault::pgsupport
