// Which table or index a relation file belongs to, read from the catalogs of a data directory
// without a server. Best effort: what cannot be read has no name.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"
#include "pagevault/pgsupport/relation_files.h"

namespace pagevault::pgsupport {

/// A relation as people know it.
struct RelationName {
  std::string database;  ///< Empty for shared catalogs.
  std::string schema;
  std::string name;
  char kind =
      'r';  ///< pg_class.relkind: r table, i index, t TOAST, m materialised view, S sequence.
};

/// Reads all of a file of the data directory. Errors: NotFound; of the repository.
using CatalogFileReader = std::function<Result<Bytes>(const std::string& path)>;

/// Names by what parse_relation_file says. Built database by database when first asked. Not
/// thread-safe.
class Catalog {
 public:
  /// Layouts known: PostgreSQL 13 to 18. Errors: Unsupported (others), Corrupt.
  static Result<Catalog> open(std::uint32_t major_version, std::uint32_t block_bytes,
                              CatalogFileReader read);
  ~Catalog();
  Catalog(Catalog&&) noexcept;

  /// Nothing when the catalogs do not know it. Errors: of the reader.
  Result<std::optional<RelationName>> name_of(const RelationFile& file);

 private:
  struct State;
  explicit Catalog(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace pagevault::pgsupport
