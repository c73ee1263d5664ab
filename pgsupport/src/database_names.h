// Names of the relations of one database, by their files.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "catalog_scan.h"

namespace pagevault::pgsupport {

/// A database and where its catalogs are.
struct DatabasePlace {
  std::string name;
  std::uint32_t tablespace = 0;
  std::string folder;  ///< `base/5`
};

class DatabaseNames {
 public:
  DatabaseNames() = default;
  /// Of nothing when the catalogs are not there. Errors: of the reader.
  static Result<DatabaseNames> read(CatalogAccess& access, const DatabasePlace& place,
                                    const RelationMap& shared);

  std::optional<RelationName> find(std::uint32_t tablespace, std::uint32_t file) const;
  std::size_t size() const { return relations_.size(); }

 private:
  struct Relation {
    ClassRow row;
    RowVersion version;

    std::uint64_t key() const { return std::uint64_t{row.tablespace} << 32U | row.file; }
  };

  Status read_classes(CatalogAccess& access, const DatabasePlace& place, const RelationMap& local,
                      const RelationMap& shared);
  void keep_best();
  void find_toast_owners();
  std::optional<std::uint32_t> namespace_file() const;
  Status read_schemas(CatalogAccess& access, const std::string& folder);
  std::string schema_name(std::uint32_t oid) const;
  std::string owner_of_toast(std::uint32_t oid) const;

  struct Schema {
    std::string name;
    RowVersion version;
  };
  struct ToastOwner {
    std::uint32_t toast = 0;
    std::uint32_t relation = 0;  // Index into relations_.
  };
  std::string database_;
  std::vector<Relation> relations_;       // By key, which are distinct. Sorted, not hashed: the
                                          // keys are foreign, and may be chosen to collide.
  std::vector<ToastOwner> toast_owners_;  // By toast.
  std::map<std::uint32_t, Schema> schemas_;
};

}  // namespace pagevault::pgsupport
