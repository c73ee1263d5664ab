#include "pagevault/repo/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "pagevault/repo/format.h"

namespace pagevault::repo {

void FieldWriter::add(std::uint16_t tag, ByteView value) {
  PV_CHECK(int{tag} > last_tag_);
  PV_CHECK(++count_ <= kFieldsMax);
  PV_CHECK(value.size() <= std::numeric_limits<std::uint32_t>::max());
  last_tag_ = tag;
  out_.u16(tag);
  out_.u32(static_cast<std::uint32_t>(value.size()));
  out_.raw(value);
}

void FieldWriter::add_u8(std::uint16_t tag, std::uint8_t value) {
  Encoder encoder;
  encoder.u8(value);
  add(tag, encoder.view());
}

void FieldWriter::add_u32(std::uint16_t tag, std::uint32_t value) {
  Encoder encoder;
  encoder.u32(value);
  add(tag, encoder.view());
}

void FieldWriter::add_u64(std::uint16_t tag, std::uint64_t value) {
  Encoder encoder;
  encoder.u64(value);
  add(tag, encoder.view());
}

void FieldWriter::add_i64(std::uint16_t tag, std::int64_t value) {
  add_u64(tag, static_cast<std::uint64_t>(value));
}

void FieldWriter::add_text(std::uint16_t tag, std::string_view text) {
  Encoder encoder;
  encoder.str(text);
  add(tag, encoder.view());
}

Result<FieldReader> FieldReader::parse(ByteView input, std::string_view what) {
  FieldReader fields;
  fields.what_ = what;
  int last_tag = -1;
  Decoder in(input, what);
  while (!in.at_end()) {
    if (fields.values_.size() == kFieldsMax) return in.corrupt("too many fields");
    PV_TRY_ASSIGN(const std::uint16_t tag, in.u16());
    if (int{tag} <= last_tag) return in.corrupt("field tags are not ascending");
    last_tag = tag;
    PV_TRY_ASSIGN(const std::uint32_t length, in.u32());
    PV_TRY_ASSIGN(const ByteView value, in.raw(length));
    fields.values_.emplace_hint(fields.values_.end(), tag, value);
  }
  return fields;
}

Result<ByteView> FieldReader::required(std::uint16_t tag) const {
  const auto found = values_.find(tag);
  if (found != values_.end()) return found->second;
  return Error(ErrorCode::Corrupt, fmt::format("{}: field {:#06x} is missing", what_, tag));
}

ByteView FieldReader::optional(std::uint16_t tag) const {
  const auto found = values_.find(tag);
  return found == values_.end() ? ByteView() : found->second;
}

Status FieldReader::require_known(std::span<const std::uint16_t> known) const {
  for (const auto& [tag, value] : values_) {
    if ((tag & kCriticalTag) == 0 || std::ranges::find(known, tag) != known.end()) continue;
    return Error(ErrorCode::Unsupported,
                 fmt::format("{}: field {:#06x} is from a newer version", what_, tag));
  }
  return ok();
}

Result<std::uint8_t> FieldReader::u8(std::uint16_t tag) const {
  return whole<std::uint8_t>(tag, [](Decoder& in) { return in.u8(); });
}

Result<std::uint32_t> FieldReader::u32(std::uint16_t tag) const {
  return whole<std::uint32_t>(tag, [](Decoder& in) { return in.u32(); });
}

Result<std::uint64_t> FieldReader::u64(std::uint16_t tag) const {
  return whole<std::uint64_t>(tag, [](Decoder& in) { return in.u64(); });
}

Result<std::int64_t> FieldReader::i64(std::uint16_t tag) const {
  return whole<std::int64_t>(tag, [](Decoder& in) { return in.i64(); });
}

Result<std::string> FieldReader::text(std::uint16_t tag) const {
  PV_TRY_ASSIGN(const ByteView bytes,
                whole<ByteView>(tag, [](Decoder& in) { return in.str(in.remaining()); }));
  return std::string(as_text(bytes));
}

}  // namespace pagevault::repo
