#include "catalog_rows.h"

#include <algorithm>

#include "pagevault/base/codec.h"

namespace pagevault::pgsupport {
namespace {

constexpr std::size_t kNameBytes = 64;  // NAMEDATALEN, of the names' own columns.
constexpr std::size_t kNameAt = 4;      // In all three the first columns are oid and name.
constexpr std::size_t kAfterName = kNameAt + kNameBytes;

// Oids of four bytes follow the name in pg_class: schema, four others, file, tablespace.
constexpr std::size_t kClassSchemaAt = kAfterName;
constexpr std::size_t kClassFileAt = kAfterName + 20;
constexpr std::size_t kClassTablespaceAt = kAfterName + 24;

std::uint32_t oid_at(ByteView row, std::size_t offset) { return load_le32(row.subspan(offset)); }

std::string name_in(ByteView row) {
  const std::string_view field = as_text(row.subspan(kNameAt, kNameBytes));
  return std::string(field.substr(0, std::min(field.find('\0'), field.size())));
}

}  // namespace

std::optional<CatalogLayout> catalog_layout(std::uint32_t major_version) {
  if (major_version < 13 || major_version > 18) return std::nullopt;
  CatalogLayout out;
  // PostgreSQL 15 made text of the collations, names of 64 bytes before, and moved them behind the
  // columns of fixed length. The flag that 17 added fits before an integer's alignment.
  if (major_version < 15) {
    out.database_tablespace = {13, 224};
  } else {
    out.database_tablespace = {major_version < 17 ? std::uint16_t{11} : std::uint16_t{12}, 92};
  }
  // PostgreSQL 18 added relallfrozen before reltoastrelid.
  const std::uint16_t added = major_version < 18 ? 0 : 1;
  out.class_toast = {static_cast<std::uint16_t>(13 + added), 108U + 4U * added};
  out.class_kind = {static_cast<std::uint16_t>(17 + added), 115U + 4U * added};
  return out;
}

std::optional<DatabaseRow> database_row(const HeapTuple& tuple, const CatalogLayout& layout) {
  const ColumnPlace& last = layout.database_tablespace;
  const auto row = fixed_prefix(tuple, last.attributes, last.offset + 4);
  if (!row) return std::nullopt;
  return DatabaseRow{
      .oid = oid_at(*row, 0), .name = name_in(*row), .tablespace = oid_at(*row, last.offset)};
}

std::optional<NamespaceRow> namespace_row(const HeapTuple& tuple) {
  const auto row = fixed_prefix(tuple, 2, kAfterName);
  if (!row) return std::nullopt;
  return NamespaceRow{.oid = oid_at(*row, 0), .name = name_in(*row)};
}

std::optional<ClassRow> class_row(const HeapTuple& tuple, const CatalogLayout& layout) {
  const ColumnPlace& last = layout.class_kind;
  const auto row = fixed_prefix(tuple, last.attributes, last.offset + 1);
  if (!row) return std::nullopt;
  return ClassRow{.oid = oid_at(*row, 0),
                  .name = name_in(*row),
                  .schema = oid_at(*row, kClassSchemaAt),
                  .file = oid_at(*row, kClassFileAt),
                  .tablespace = oid_at(*row, kClassTablespaceAt),
                  .toast = oid_at(*row, layout.class_toast.offset),
                  .kind = static_cast<char>((*row)[last.offset])};
}

}  // namespace pagevault::pgsupport
