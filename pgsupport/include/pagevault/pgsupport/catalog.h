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
  /// pg_class.relkind: r table, i index, t TOAST, m materialised view, S sequence.
  char kind = 'r';
  std::string toast_of;  ///< Of a TOAST table: `schema.table` that it belongs to, when known.
};

/// Gives all of a file of the data directory to `sink`, in order, in pieces of any length. Errors:
/// NotFound; of the repository; what `sink` says.
using CatalogFileReader =
    std::function<Status(const std::string& path, const std::function<Status(ByteView)>& sink)>;

/// Names by what parse_relation_file says. Built database by database when first asked: reads
/// pg_class and pg_namespace of that one, at most 4 GiB, and where their hint bits do not say what
/// was committed, pg_xact. Of what is left undecided the newest counts.
///
/// Memory: about 150 bytes for each relation of the databases asked last, of at most 2^21; what is
/// more has no name. Not thread-safe.
class Catalog {
 public:
  /// Layouts known: PostgreSQL 13 to 18. Reads nothing yet. Errors: Unsupported (other versions),
  /// Corrupt (impossible block size).
  static Result<Catalog> open(std::uint32_t major_version, std::uint32_t block_bytes,
                              CatalogFileReader read);
  ~Catalog();
  Catalog(Catalog&&) noexcept;

  /// Nothing when the catalogs do not know it. Errors: of the reader, once for each database, which
  /// has no names from then on.
  Result<std::optional<RelationName>> name_of(const RelationFile& file);

 private:
  struct State;
  explicit Catalog(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace pagevault::pgsupport
