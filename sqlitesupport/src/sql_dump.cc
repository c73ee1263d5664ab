// Tables first, each with its rows in the order of its tree, then what works on rows: indexes,
// triggers, views. As the sqlite3 shell's .dump, but that text with zero bytes or carriage
// returns, UTF-16, all reals and tables with generated columns come out exact.
//
// A virtual table is put into sqlite_schema as it is: to create it would make and fill its shadow
// tables, which are dumped like other tables.

#include "sql_dump.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "helper_message.h"
#include "real_literal.h"
#include "sqlite_connection.h"

namespace pagevault::sqlitesupport {
namespace {

constexpr std::size_t kHexStepBytes = 4096;
constexpr std::string_view kNotInLiterals("\0\r", 2);

std::string in_quotes(std::string_view text, char quote) {
  std::string out(1, quote);
  for (const char c : text) {
    out += c;
    if (c == quote) out += c;
  }
  return out + quote;
}

std::string as_name(std::string_view name) { return in_quotes(name, '"'); }

// Collects text and passes it on in large pieces.
class TextStream {
 public:
  explicit TextStream(const TextSink& sink) : sink_(sink) {}

  Status add(std::string_view text) {
    while (buffer_.size() + text.size() >= kMessageTextMax) {
      const std::size_t fits = kMessageTextMax - buffer_.size();
      buffer_ += text.substr(0, fits);
      text.remove_prefix(fits);
      PV_TRY(flush());
    }
    buffer_ += text;
    return ok();
  }
  Status flush() {
    Status sent = buffer_.empty() ? ok() : sink_(buffer_);
    buffer_.clear();
    return sent;
  }

 private:
  const TextSink& sink_;
  std::string buffer_;
};

// `sql` as the schema has it, ended: its last comment may still be open.
std::string as_statement(const std::string& sql) {
  for (const std::string_view end : {";", "\n;", "*/;"}) {
    std::string statement = sql;
    statement += end;
    if (sqlite3_complete(statement.c_str()) != 0) return statement + "\n";
  }
  return sql + ";\n";
}

// UTF-8 has no half of a pair and no half of a unit. Whole pairs are not told apart: written as hex
// they are as exact.
bool has_surrogates(ByteView utf16, bool big_endian) {
  if (utf16.size() % 2 != 0) return true;
  for (std::size_t i = big_endian ? 0 : 1; i < utf16.size(); i += 2) {
    if ((std::to_integer<unsigned>(utf16[i]) & 0xF8U) == 0xD8U) return true;
  }
  return false;
}

bool starts_with_nocase(std::string_view text, const std::string& prefix) {
  return sqlite3_strnicmp(std::string(text.substr(0, prefix.size())).c_str(), prefix.c_str(),
                          static_cast<int>(prefix.size())) == 0;
}

struct SchemaEntry {
  std::string name;
  std::string table;
  std::string sql;
};

class Dumper {
 public:
  Dumper(SqliteConnection& connection, const TextSink& sink)
      : connection_(connection), out_(sink), reals_(connection) {}

  Status run() {
    PV_TRY(begin());
    PV_TRY_ASSIGN(
        const auto tables,
        entries("type='table' AND sql IS NOT NULL ORDER BY name='sqlite_sequence', rowid"));
    for (const SchemaEntry& table : tables) PV_TRY(dump_table(table).context(table.name));
    PV_TRY_ASSIGN(const auto others,
                  entries("type IN ('index','trigger','view') AND sql IS NOT NULL ORDER BY rowid"));
    for (const SchemaEntry& other : others) PV_TRY(out_.add(as_statement(other.sql)));
    return finish();
  }

 private:
  Status begin() {
    PV_TRY_ASSIGN(const std::string encoding, connection_.text("PRAGMA encoding"));
    utf16_ = encoding != "UTF-8";
    big_endian_ = encoding == "UTF-16be";
    if (utf16_) PV_TRY(out_.add(fmt::format("PRAGMA encoding='{}';\n", encoding)));
    return out_.add("PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n");
  }

  Status finish() {
    if (schema_is_writable_) PV_TRY(out_.add("PRAGMA writable_schema=OFF;\n"));
    PV_TRY_ASSIGN(const std::int64_t application, connection_.integer("PRAGMA application_id"));
    PV_TRY_ASSIGN(const std::int64_t user, connection_.integer("PRAGMA user_version"));
    if (application != 0) PV_TRY(out_.add(fmt::format("PRAGMA application_id={};\n", application)));
    if (user != 0) PV_TRY(out_.add(fmt::format("PRAGMA user_version={};\n", user)));
    PV_TRY(out_.add("COMMIT;\n"));
    return out_.flush();
  }

  Result<std::vector<SchemaEntry>> entries(std::string_view which) {
    PV_TRY_ASSIGN(SqliteStatement rows,
                  connection_.prepare(fmt::format(
                      "SELECT name, tbl_name, sql FROM sqlite_schema WHERE {}", which)));
    std::vector<SchemaEntry> found;
    for (;;) {
      PV_TRY_ASSIGN(const bool row, rows.step());
      if (!row) return found;
      found.push_back({.name = std::string(rows.text(0)),
                       .table = std::string(rows.text(1)),
                       .sql = std::string(rows.text(2))});
    }
  }

  Status dump_table(const SchemaEntry& table) {
    // Made by SQLite itself, so only their rows, and nothing where there are none.
    if (table.name == "sqlite_sequence") {
      return dump_rows(table.name, "DELETE FROM sqlite_sequence;\n");
    }
    if (table.name == "sqlite_stat1") return dump_rows(table.name, "ANALYZE sqlite_schema;\n");
    if (starts_with_nocase(table.name, "sqlite_")) return ok();
    if (starts_with_nocase(table.sql, "CREATE VIRTUAL TABLE")) return dump_virtual_table(table);
    PV_TRY(out_.add(as_statement(table.sql)));
    return dump_rows(table.name, "");
  }

  Status dump_virtual_table(const SchemaEntry& table) {
    if (!schema_is_writable_) PV_TRY(out_.add("PRAGMA writable_schema=ON;\n"));
    schema_is_writable_ = true;
    return out_.add(fmt::format(
        "INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table',{},{},0,{});\n",
        in_quotes(table.name, '\''), in_quotes(table.table, '\''), in_quotes(table.sql, '\'')));
  }

  // Those that are stored, and whether there are others.
  Result<std::string> stored_columns(const std::string& table, bool* has_others) {
    PV_TRY_ASSIGN(SqliteStatement rows,
                  connection_.prepare(fmt::format("PRAGMA table_xinfo({})", as_name(table))));
    std::string names;
    for (;;) {
      PV_TRY_ASSIGN(const bool row, rows.step());
      if (!row) return names;
      if (rows.integer(6) != 0) {
        *has_others = true;
        continue;
      }
      if (!names.empty()) names += ',';
      names += as_name(rows.text(1));
    }
  }

  // `before` makes or empties the table; only where there are rows.
  Status dump_rows(const std::string& table, std::string_view before) {
    bool has_others = false;
    PV_TRY_ASSIGN(const std::string columns, stored_columns(table, &has_others));
    if (columns.empty()) return ok();
    // Not by an index, which may come in another order.
    PV_TRY_ASSIGN(
        SqliteStatement rows,
        connection_.prepare(fmt::format("SELECT {} FROM {} NOT INDEXED", columns, as_name(table))));
    const std::string insert = fmt::format("INSERT INTO {}{} VALUES(", as_name(table),
                                           has_others ? "(" + columns + ")" : std::string());
    for (bool first = true;; first = false) {
      PV_TRY_ASSIGN(const bool row, rows.step());
      if (!row) return ok();
      if (first) PV_TRY(out_.add(before));
      PV_TRY(out_.add(insert));
      PV_TRY(dump_values(rows));
    }
  }

  Status dump_values(const SqliteStatement& row) {
    for (int column = 0; column < row.columns(); ++column) {
      if (column > 0) PV_TRY(out_.add(","));
      PV_TRY(dump_value(row, column));
    }
    return out_.add(");\n");
  }

  Status dump_value(const SqliteStatement& row, int column) {
    switch (row.type(column)) {
      case SQLITE_INTEGER:
        return out_.add(fmt::format("{}", row.integer(column)));
      case SQLITE_FLOAT:
        return dump_real(row.real(column));
      case SQLITE_TEXT:
        return dump_text(row, column);
      case SQLITE_BLOB:
        return dump_hex(row.stored(column));
      default:
        return out_.add("NULL");
    }
  }

  Status dump_real(double value) {
    PV_TRY_ASSIGN(const std::string literal, reals_.of(value));
    return out_.add(literal);
  }

  // A literal ends at a zero byte, and the shell takes \r\n for \n.
  Status dump_text(const SqliteStatement& row, int column) {
    Bytes utf16;
    if (utf16_) utf16 = to_bytes(row.stored(column));
    const std::string_view text = row.text(column);
    const bool as_hex = text.find_first_of(kNotInLiterals) != std::string_view::npos ||
                        has_surrogates(utf16, big_endian_);
    if (!as_hex) return out_.add(in_quotes(text, '\''));
    PV_TRY(out_.add("CAST("));
    PV_TRY(dump_hex(utf16_ ? ByteView(utf16) : as_bytes(text)));
    return out_.add(" AS TEXT)");
  }

  Status dump_hex(ByteView bytes) {
    PV_TRY(out_.add("X'"));
    while (!bytes.empty()) {
      const ByteView step = bytes.first(std::min(bytes.size(), kHexStepBytes));
      PV_TRY(out_.add(to_hex(step)));
      bytes = bytes.subspan(step.size());
    }
    return out_.add("'");
  }

  SqliteConnection& connection_;
  TextStream out_;
  RealLiterals reals_;
  bool utf16_ = false;
  bool big_endian_ = false;  // Of UTF-16.
  bool schema_is_writable_ = false;
};

}  // namespace

Status dump_database(const std::string& path, const TextSink& sink, const Abandoned& abandoned) {
  PV_TRY_ASSIGN(SqliteConnection connection, SqliteConnection::open_immutable(path));
  connection.interrupt_when(abandoned);
  return Dumper(connection, sink).run();
}

}  // namespace pagevault::sqlitesupport
