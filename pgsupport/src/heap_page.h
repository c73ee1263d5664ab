// Rows in the pages of a heap. Any bytes are taken: what makes no sense is left out.
// Source: PostgreSQL, src/include/storage/bufpage.h, itemid.h, src/include/access/htup_details.h.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"

namespace pagevault::pgsupport {

/// One version of a row. Views are of the page.
struct HeapTuple {
  std::uint32_t xmin = 0;
  std::uint32_t xmax = 0;
  std::uint16_t infomask = 0;
  std::uint16_t attributes = 0;
  ByteView nulls;  ///< A bit for each attribute, 1: not null. Empty: none is null.
  ByteView data;   ///< Of the attributes.
};

/// Calls `visit` for each version of a row on `page`, in the order of line pointers. Errors: of
/// `visit`.
Status visit_tuples(ByteView page, const std::function<Status(const HeapTuple&)>& visit);

/// The first `bytes` bytes of the row, when they hold its first `attributes` attributes, all of a
/// fixed length and none null.
std::optional<ByteView> fixed_prefix(const HeapTuple& tuple, std::uint16_t attributes,
                                     std::size_t bytes);

}  // namespace pagevault::pgsupport
