// Rows of sqlite_schema, as far as they say where a table or an index is. Untrusted bytes.
// Source: "Database File Format", 2.1 and 2.6 (sqlite.org/fileformat2.html).

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "pagevault/base/bytes.h"

namespace pagevault::sqlitesupport {

/// As the header of the database numbers them.
enum class TextEncoding : std::uint8_t { Utf8 = 1, Utf16Le = 2, Utf16Be = 3 };

struct SchemaRecord {
  std::string type;             ///< "table", "index", "view", "trigger".
  std::string name;             ///< This and what follows in UTF-8.
  std::string table;            ///< tbl_name.
  std::uint64_t root_page = 0;  ///< 0: it has no pages.
};

/// `record` begins with a row's payload and need not reach beyond its first four columns.
/// Nothing when it does not reach so far, or they are not what a schema has there.
std::optional<SchemaRecord> parse_schema_record(ByteView record, TextEncoding encoding);

/// `text` in UTF-8: halves of pairs and single bytes become U+FFFD; what should be UTF-8 already is
/// kept as it is. At most `bytes_max`, cut between characters.
std::string utf8_of(ByteView text, TextEncoding encoding, std::size_t bytes_max);

}  // namespace pagevault::sqlitesupport
