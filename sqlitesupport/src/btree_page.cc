#include "btree_page.h"

#include "pagevault/base/codec.h"

namespace pagevault::sqlitesupport {
namespace {

constexpr std::size_t kInnerHeaderBytes = 12;
constexpr std::size_t kLeafHeaderBytes = 8;

// Where the cells of a page end that hold a part of their payload only.
struct PayloadLimits {
  std::uint64_t local_max = 0;
  std::uint64_t local_min = 0;
  std::uint64_t overflow = 0;  // Bytes in an overflow page.
};

PayloadLimits limits_of(std::uint64_t usable, bool is_table_leaf) {
  return {.local_max = is_table_leaf ? usable - 35 : (usable - 12) * 64 / 255 - 23,
          .local_min = (usable - 12) * 32 / 255 - 23,
          .overflow = usable - 4};
}

std::uint64_t local_bytes(std::uint64_t payload, const PayloadLimits& limits) {
  if (payload <= limits.local_max) return payload;
  const std::uint64_t wanted = limits.local_min + (payload - limits.local_min) % limits.overflow;
  return wanted <= limits.local_max ? wanted : limits.local_min;
}

// `rest` begins at the length of the payload.
std::optional<BtreeCell> parse_payload(ByteView rest, bool has_rowid, const PayloadLimits& limits) {
  const auto length = load_database_varint(rest);
  if (!length) return std::nullopt;
  rest = rest.subspan(length->bytes);
  if (has_rowid) {
    const auto rowid = load_database_varint(rest);
    if (!rowid) return std::nullopt;
    rest = rest.subspan(rowid->bytes);
  }
  BtreeCell cell;
  cell.payload_bytes = length->value;
  const std::uint64_t local = local_bytes(cell.payload_bytes, limits);
  if (local > rest.size()) return std::nullopt;
  cell.local = rest.first(local);
  if (local == cell.payload_bytes) return cell;
  if (rest.size() - local < 4) return std::nullopt;
  cell.overflow_page = load_be32(rest.subspan(local));
  cell.overflow_pages = (cell.payload_bytes - local - 1) / limits.overflow + 1;
  return cell;
}

// False when it reaches beyond the page, or has more payload than is `left`.
bool add_cell(BtreePage& out, ByteView cell, const PayloadLimits& limits, std::size_t& left) {
  if (!out.is_leaf) {
    if (cell.size() < 4) return false;
    out.children.push_back(load_be32(cell));
    if (!out.is_index) return true;
    cell = cell.subspan(4);
  }
  const auto parsed = parse_payload(cell, !out.is_index, limits);
  if (!parsed || parsed->local.size() > left) return false;
  left -= parsed->local.size();
  out.cells.push_back(*parsed);
  return true;
}

}  // namespace

std::optional<DatabaseVarint> load_database_varint(ByteView from) {
  DatabaseVarint out;
  for (const std::byte b : from) {
    ++out.bytes;
    if (out.bytes == 9) {
      out.value = (out.value << 8) | std::to_integer<std::uint64_t>(b);
      return out;
    }
    out.value = (out.value << 7) | std::to_integer<std::uint64_t>(b & std::byte{0x7F});
    if ((b & std::byte{0x80}) == std::byte{0}) return out;
  }
  return std::nullopt;
}

std::optional<BtreePage> parse_btree_page(ByteView page, std::size_t header_at) {
  const auto type = std::to_integer<unsigned>(page[header_at]);
  if (type != 2 && type != 5 && type != 10 && type != 13) return std::nullopt;
  BtreePage out;
  out.is_index = type == 2 || type == 10;
  out.is_leaf = type >= 10;
  const std::size_t count = load_be16(page.subspan(header_at + 3));
  const std::size_t pointers = header_at + (out.is_leaf ? kLeafHeaderBytes : kInnerHeaderBytes);
  if (count > (page.size() - pointers) / 2) return std::nullopt;
  const std::size_t cells = pointers + 2 * count;
  const PayloadLimits limits = limits_of(page.size(), out.is_leaf && !out.is_index);
  std::size_t left = page.size();  // Cells that overlap would make much out of few bytes.
  for (std::size_t at = pointers; at < cells; at += 2) {
    const std::size_t cell = load_be16(page.subspan(at));
    const bool inside = cell >= cells && cell < page.size();
    if (!inside || !add_cell(out, page.subspan(cell), limits, left)) out.damaged = true;
  }
  if (!out.is_leaf) out.children.push_back(load_be32(page.subspan(header_at + 8)));
  return out;
}

}  // namespace pagevault::sqlitesupport
