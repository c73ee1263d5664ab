// Tagged fields: how bodies of config, snapshot and session objects grow. docs/format.md, 3.

#pragma once

#include <map>

#include "pagevault/base/codec.h"

namespace pagevault::repo {

/// Tags with this bit must be understood by every reader.
inline constexpr std::uint16_t kCriticalTag = 0x8000;

class FieldWriter {
 public:
  /// Tags strictly ascending (checked: our bug otherwise).
  void add(std::uint16_t tag, ByteView value);
  Bytes take() { return out_.take(); }

 private:
  Encoder out_;
  int last_tag_ = -1;
};

/// Parsed fields; values are views into the input.
class FieldReader {
 public:
  /// Errors: Corrupt (order, lengths, over kFieldsMax).
  static Result<FieldReader> parse(ByteView input, std::string_view what);

  /// Errors: Corrupt when absent.
  Result<ByteView> required(std::uint16_t tag) const;
  /// Empty view when absent.
  ByteView optional(std::uint16_t tag) const;
  bool has(std::uint16_t tag) const { return values_.contains(tag); }
  /// Unsupported if a critical tag is present that is not in `known`.
  Status require_known(std::span<const std::uint16_t> known) const;

 private:
  std::map<std::uint16_t, ByteView> values_;
  std::string_view what_;
};

}  // namespace pagevault::repo
