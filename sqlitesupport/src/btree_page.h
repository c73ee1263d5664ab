// One page of a b-tree: its children and what its cells keep elsewhere. Untrusted bytes.
// Source: "Database File Format", 1.6 (sqlite.org/fileformat2.html).

#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "pagevault/base/bytes.h"

namespace pagevault::sqlitesupport {

/// A varint of the database format: big-endian, at most 9 bytes.
struct DatabaseVarint {
  std::uint64_t value = 0;
  std::size_t bytes = 0;  ///< That it takes.
};
/// Nothing when `from` ends before it does.
std::optional<DatabaseVarint> load_database_varint(ByteView from);

struct BtreeCell {
  std::uint64_t payload_bytes = 0;   ///< In all.
  ByteView local;                    ///< The part of it in this page; valid as long as the page.
  std::uint32_t overflow_page = 0;   ///< First of the others; 0: there are none.
  std::uint64_t overflow_pages = 0;  ///< How many there must be.
};

struct BtreePage {
  bool is_index = false;  ///< Of a tree of keys, which tables WITHOUT ROWID are, too.
  bool is_leaf = false;
  bool damaged = false;  ///< Cells were passed over.
  std::vector<std::uint32_t> children;
  std::vector<BtreeCell> cells;  ///< Those with payload.
};

/// `page`: without reserved bytes, at least 480. `header_at`: 100 in page 1, else 0.
/// Nothing when it is no page of a b-tree.
std::optional<BtreePage> parse_btree_page(ByteView page, std::size_t header_at);

}  // namespace pagevault::sqlitesupport
