#include "schema_record.h"

#include <array>

#include "btree_page.h"
#include "pagevault/base/codec.h"
#include "pagevault/sqlitesupport/page_owners.h"

namespace pagevault::sqlitesupport {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

void append_utf8(std::string& out, char32_t c) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | ((c >> shift) & 0x3F)); };
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    tail(0);
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

char32_t unit_at(ByteView text, std::size_t at, TextEncoding encoding) {
  const std::uint16_t unit = load_le16(text.subspan(at));
  if (encoding == TextEncoding::Utf16Le) return unit;
  return static_cast<std::uint16_t>((unit >> 8) | (unit << 8));
}

// The character at `at`, which moves on behind it.
char32_t next_character(ByteView text, std::size_t& at, TextEncoding encoding) {
  if (text.size() - at < 2) {
    at = text.size();
    return kReplacement;
  }
  const char32_t first = unit_at(text, at, encoding);
  at += 2;
  if (first < 0xD800 || first > 0xDFFF) return first;
  if (first > 0xDBFF || text.size() - at < 2) return kReplacement;
  const char32_t second = unit_at(text, at, encoding);
  if (second < 0xDC00 || second > 0xDFFF) return kReplacement;
  at += 2;
  return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
}

bool continues_character(std::byte b) { return (b & std::byte{0xC0}) == std::byte{0x80}; }

std::string cut_utf8(ByteView text, std::size_t bytes_max) {
  std::size_t end = text.size();
  if (end > bytes_max) {
    // Bytes that are no UTF-8 could go on for ever.
    end = bytes_max;
    for (int i = 0; i < 3 && end > 0 && continues_character(text[end]); ++i) --end;
  }
  return std::string(as_text(text.first(end)));
}

// Bytes of a value of this serial type; nothing for those that are reserved.
std::optional<std::uint64_t> value_bytes(std::uint64_t type) {
  constexpr std::array<std::uint8_t, 10> kBytes = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0};
  if (type < kBytes.size()) return kBytes[type];
  if (type < 12) return std::nullopt;
  return (type - 12) / 2;
}

struct Column {
  std::uint64_t type = 0;
  ByteView value;

  bool is_text() const { return type >= 13 && type % 2 == 1; }
};

using Columns = std::array<Column, 4>;

std::optional<Columns> first_columns(ByteView record) {
  const auto header = load_database_varint(record);
  if (!header || header->value < header->bytes || header->value > record.size()) {
    return std::nullopt;
  }
  ByteView types = record.first(header->value).subspan(header->bytes);
  ByteView values = record.subspan(header->value);
  Columns out;
  for (Column& column : out) {
    const auto type = load_database_varint(types);
    if (!type) return std::nullopt;
    types = types.subspan(type->bytes);
    const auto length = value_bytes(type->value);
    if (!length || *length > values.size()) return std::nullopt;
    column = {type->value, values.first(*length)};
    values = values.subspan(*length);
  }
  return out;
}

// Views and triggers have 0 or NULL. Nothing for negative numbers and what is no integer.
std::optional<std::uint64_t> integer_of(const Column& column) {
  if (column.type > 9 || column.type == 7) return std::nullopt;
  if (column.type == 9) return 1;
  const bool negative =
      !column.value.empty() && (column.value[0] & std::byte{0x80}) != std::byte{0};
  if (negative) return std::nullopt;
  std::uint64_t value = 0;
  for (const std::byte b : column.value) value = (value << 8) | std::to_integer<std::uint64_t>(b);
  return value;
}

}  // namespace

std::string utf8_of(ByteView text, TextEncoding encoding, std::size_t bytes_max) {
  if (encoding == TextEncoding::Utf8) return cut_utf8(text, bytes_max);
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t before = out.size();
    append_utf8(out, next_character(text, at, encoding));
    if (out.size() <= bytes_max) continue;
    out.resize(before);
    break;
  }
  return out;
}

std::optional<SchemaRecord> parse_schema_record(ByteView record, TextEncoding encoding) {
  const auto columns = first_columns(record);
  if (!columns) return std::nullopt;
  const auto& [type, name, table, root] = *columns;
  const auto root_page = integer_of(root);
  if (!type.is_text() || !name.is_text() || !table.is_text() || !root_page) return std::nullopt;
  return SchemaRecord{.type = utf8_of(type.value, encoding, kOwnerNameBytesMax),
                      .name = utf8_of(name.value, encoding, kOwnerNameBytesMax),
                      .table = utf8_of(table.value, encoding, kOwnerNameBytesMax),
                      .root_page = *root_page};
}

}  // namespace pagevault::sqlitesupport
