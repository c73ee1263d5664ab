// Tagged fields: how bodies of config, snapshot and session objects grow. docs/format.md, 3.

#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "pagevault/base/codec.h"

namespace pagevault::repo {

/// Tags with this bit must be understood by every reader.
inline constexpr std::uint16_t kCriticalTag = 0x8000;

class FieldWriter {
 public:
  /// Tags strictly ascending and at most kFieldsMax of them (checked: our bug otherwise).
  void add(std::uint16_t tag, ByteView value);
  void add_u8(std::uint16_t tag, std::uint8_t value);
  void add_u32(std::uint16_t tag, std::uint32_t value);
  void add_u64(std::uint16_t tag, std::uint64_t value);
  void add_i64(std::uint16_t tag, std::int64_t value);
  void add_text(std::uint16_t tag, std::string_view text);  ///< As `str`.
  Bytes take() { return out_.take(); }

 private:
  Encoder out_;
  std::size_t count_ = 0;
  int last_tag_ = -1;
};

/// Parsed fields; values are views into the input.
class FieldReader {
 public:
  /// `what` is the thing being decoded, for messages; a literal.
  /// Errors: Corrupt (order, lengths, over kFieldsMax).
  static Result<FieldReader> parse(ByteView input, std::string_view what);

  /// Errors: Corrupt when absent.
  Result<ByteView> required(std::uint16_t tag) const;
  /// Empty view when absent.
  ByteView optional(std::uint16_t tag) const;
  bool has(std::uint16_t tag) const { return values_.contains(tag); }
  /// Unsupported if a critical tag is present that is not in `known`.
  Status require_known(std::span<const std::uint16_t> known) const;

  /// The whole value of a required field. Errors: Corrupt when absent or of another length.
  Result<std::uint8_t> u8(std::uint16_t tag) const;
  Result<std::uint32_t> u32(std::uint16_t tag) const;
  Result<std::uint64_t> u64(std::uint16_t tag) const;
  Result<std::int64_t> i64(std::uint16_t tag) const;
  Result<std::string> text(std::uint16_t tag) const;
  template <std::size_t N>
  Result<std::array<std::byte, N>> array(std::uint16_t tag) const {
    return whole<std::array<std::byte, N>>(tag, [](Decoder& in) { return in.array<N>(); });
  }

 private:
  template <class T, class Read>
  Result<T> whole(std::uint16_t tag, Read read) const {
    PV_TRY_ASSIGN(const ByteView value, required(tag));
    Decoder in(value, what_);
    PV_TRY_ASSIGN(T out, read(in));
    PV_TRY(in.finish());
    return out;
  }

  std::map<std::uint16_t, ByteView> values_;
  std::string_view what_;
};

}  // namespace pagevault::repo
