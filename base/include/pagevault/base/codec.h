// Reading and writing the integers and strings of the on-disk format (docs/format.md, top).
//
// The only place where bytes become numbers. A Decoder never reads past its input and never
// allocates more than the input's length; all errors are Corrupt and name `what` is decoded.

#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"

namespace pagevault {

std::uint16_t load_le16(ByteView from);  ///< `from` has at least 2 bytes (checked).
std::uint32_t load_le32(ByteView from);
std::uint64_t load_le64(ByteView from);
std::uint16_t load_be16(ByteView from);  ///< Big-endian, as SQLite's files are.
std::uint32_t load_be32(ByteView from);
void store_le16(MutableBytes to, std::uint16_t value);
void store_le32(MutableBytes to, std::uint32_t value);
void store_le64(MutableBytes to, std::uint64_t value);
void store_be32(MutableBytes to, std::uint32_t value);

/// Appends values to a byte vector it owns.
class Encoder {
 public:
  void u8(std::uint8_t value);
  void u16(std::uint16_t value);
  void u32(std::uint32_t value);
  void u64(std::uint64_t value);
  void i64(std::int64_t value);
  void varint(std::uint64_t value);
  void raw(ByteView bytes);
  void zeros(std::size_t count);
  /// varint length, then the bytes.
  void str(ByteView bytes);
  void str(std::string_view text);

  std::size_t size() const { return out_.size(); }
  ByteView view() const { return out_; }  ///< Valid until the next append.
  Bytes take() { return std::move(out_); }

 private:
  Bytes out_;
};

/// Takes values off the front of a view, which must outlive it.
class Decoder {
 public:
  /// `what` is the thing being decoded, for messages ("span node"); a literal.
  Decoder(ByteView input, std::string_view what) : input_(input), what_(what) {}

  Result<std::uint8_t> u8() {
    if (at_end()) return too_short(1);
    return std::to_integer<std::uint8_t>(input_[position_++]);
  }
  Result<std::uint16_t> u16();
  Result<std::uint32_t> u32();
  Result<std::uint64_t> u64();
  Result<std::int64_t> i64();
  Result<std::uint64_t> varint();
  /// A varint that must be in [min, max].
  Result<std::uint64_t> varint(std::uint64_t min, std::uint64_t max);
  /// The next `count` bytes; the view lives as long as the input.
  Result<ByteView> raw(std::size_t count);
  Result<ByteView> str(std::size_t length_max);

  template <std::size_t N>
  Result<std::array<std::byte, N>> array() {
    if (remaining() < N) return too_short(N);
    std::array<std::byte, N> out;
    std::memcpy(out.data(), input_.data() + position_, N);
    position_ += N;
    return out;
  }

  std::size_t remaining() const { return input_.size() - position_; }
  std::size_t position() const { return position_; }
  bool at_end() const { return remaining() == 0; }
  /// Bytes, at least, by which the input was too short for what failed; 0 when it was something
  /// else. A reader of a stream waits for more instead of calling it damage.
  std::size_t missing() const { return missing_; }
  /// Corrupt unless everything was consumed.
  Status finish() const;
  /// A Corrupt error that names what is decoded and the position.
  Error corrupt(std::string_view problem) const;

 private:
  Error too_short(std::size_t needed);

  ByteView input_;
  std::string_view what_;
  std::size_t position_ = 0;
  std::size_t missing_ = 0;
};

}  // namespace pagevault
