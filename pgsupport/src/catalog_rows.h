// The columns of pg_database, pg_namespace and pg_class that names are made of, and where they are
// in the rows of each major version.
// Source: PostgreSQL, src/include/catalog/pg_class.h, pg_database.h, pg_namespace.h.

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "heap_page.h"

namespace pagevault::pgsupport {

inline constexpr std::uint32_t kDatabaseCatalog = 1262;
inline constexpr std::uint32_t kClassCatalog = 1259;
inline constexpr std::uint32_t kNamespaceCatalog = 2615;

/// Columns before it, itself included, and the offset of its value in a row.
struct ColumnPlace {
  std::uint16_t attributes = 0;
  std::size_t offset = 0;
};

struct CatalogLayout {
  ColumnPlace database_tablespace;
  ColumnPlace class_toast;
  ColumnPlace class_kind;
};

/// Nothing for versions that are not known.
std::optional<CatalogLayout> catalog_layout(std::uint32_t major_version);

struct DatabaseRow {
  std::uint32_t oid = 0;
  std::string name;
  std::uint32_t tablespace = 0;
};
std::optional<DatabaseRow> database_row(const HeapTuple& tuple, const CatalogLayout& layout);

struct NamespaceRow {
  std::uint32_t oid = 0;
  std::string name;
};
std::optional<NamespaceRow> namespace_row(const HeapTuple& tuple);

struct ClassRow {
  std::uint32_t oid = 0;
  std::string name;
  std::uint32_t schema = 0;
  std::uint32_t file = 0;        ///< 0: none, or the relation map has it.
  std::uint32_t tablespace = 0;  ///< 0: the database's.
  std::uint32_t toast = 0;       ///< OID of its TOAST table; 0: none.
  char kind = 0;
};
std::optional<ClassRow> class_row(const HeapTuple& tuple, const CatalogLayout& layout);

}  // namespace pagevault::pgsupport
