#include "heap_page.h"

#include "pagevault/base/codec.h"

namespace pagevault::pgsupport {
namespace {

constexpr std::size_t kPageHeaderBytes = 24;
constexpr std::size_t kLowerAt = 12;
constexpr std::size_t kUpperAt = 14;
constexpr std::size_t kLinePointerBytes = 4;
constexpr std::uint32_t kLineNormal = 1;

constexpr std::size_t kTupleHeaderBytes = 23;  // Without null bitmap and padding.
constexpr std::size_t kXmaxAt = 4;
constexpr std::size_t kInfomask2At = 18;
constexpr std::size_t kInfomaskAt = 20;
constexpr std::size_t kHeaderLengthAt = 22;
constexpr std::uint16_t kAttributesMask = 0x07FF;
constexpr std::uint16_t kHasNulls = 0x0001;

std::optional<HeapTuple> parse_tuple(ByteView item) {
  if (item.size() < kTupleHeaderBytes) return std::nullopt;
  const auto header_bytes = std::to_integer<std::size_t>(item[kHeaderLengthAt]);
  HeapTuple out{.xmin = load_le32(item),
                .xmax = load_le32(item.subspan(kXmaxAt)),
                .infomask = load_le16(item.subspan(kInfomaskAt)),
                .attributes = static_cast<std::uint16_t>(load_le16(item.subspan(kInfomask2At)) &
                                                         kAttributesMask),
                .nulls = {},
                .data = {}};
  const bool has_nulls = (out.infomask & kHasNulls) != 0;
  const std::size_t null_bytes = has_nulls ? (out.attributes + 7U) / 8U : 0;
  if (header_bytes < kTupleHeaderBytes + null_bytes || header_bytes > item.size()) {
    return std::nullopt;
  }
  out.nulls = item.subspan(kTupleHeaderBytes, null_bytes);
  out.data = item.subspan(header_bytes);
  return out;
}

bool is_null(const HeapTuple& tuple, std::size_t attribute) {
  if (tuple.nulls.empty()) return false;
  return (std::to_integer<unsigned>(tuple.nulls[attribute / 8]) >> attribute % 8 & 1U) == 0;
}

}  // namespace

Status visit_tuples(ByteView page, const std::function<Status(const HeapTuple&)>& visit) {
  if (page.size() < kPageHeaderBytes || load_le16(page.subspan(kUpperAt)) == 0) return ok();
  const std::size_t lower = load_le16(page.subspan(kLowerAt));
  if (lower > page.size()) return ok();
  for (std::size_t at = kPageHeaderBytes; at + kLinePointerBytes <= lower;
       at += kLinePointerBytes) {
    const std::uint32_t pointer = load_le32(page.subspan(at));
    const std::size_t offset = pointer & 0x7FFFU;
    const std::size_t length = pointer >> 17U;
    if ((pointer >> 15U & 3U) != kLineNormal) continue;
    if (offset < lower || offset + length > page.size()) continue;
    if (const auto tuple = parse_tuple(page.subspan(offset, length))) PV_TRY(visit(*tuple));
  }
  return ok();
}

std::optional<ByteView> fixed_prefix(const HeapTuple& tuple, std::uint16_t attributes,
                                     std::size_t bytes) {
  if (tuple.attributes < attributes || tuple.data.size() < bytes) return std::nullopt;
  for (std::size_t i = 0; i < attributes; ++i) {
    if (is_null(tuple, i)) return std::nullopt;
  }
  return tuple.data.first(bytes);
}

}  // namespace pagevault::pgsupport
