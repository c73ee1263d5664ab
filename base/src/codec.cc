#include "pagevault/base/codec.h"

#include <fmt/format.h>

namespace pagevault {

namespace {

template <class T>
T load_le(ByteView from) {
  PV_CHECK(from.size() >= sizeof(T));
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(value | static_cast<T>(std::to_integer<T>(from[i]) << (8 * i)));
  }
  return value;
}

template <class T>
T load_be(ByteView from) {
  PV_CHECK(from.size() >= sizeof(T));
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(static_cast<T>(value << 8) | std::to_integer<T>(from[i]));
  }
  return value;
}

template <class T>
void store_le(MutableBytes to, T value) {
  PV_CHECK(to.size() >= sizeof(T));
  for (std::size_t i = 0; i < sizeof(T); ++i) to[i] = static_cast<std::byte>(value >> (8 * i));
}

template <class T>
void append_le(Bytes& out, T value) {
  const std::size_t at = out.size();
  out.resize(at + sizeof(T));
  store_le<T>(MutableBytes(out).subspan(at), value);
}

}  // namespace

std::uint16_t load_le16(ByteView from) { return load_le<std::uint16_t>(from); }
std::uint32_t load_le32(ByteView from) { return load_le<std::uint32_t>(from); }
std::uint64_t load_le64(ByteView from) { return load_le<std::uint64_t>(from); }
std::uint16_t load_be16(ByteView from) { return load_be<std::uint16_t>(from); }
std::uint32_t load_be32(ByteView from) { return load_be<std::uint32_t>(from); }
void store_le16(MutableBytes to, std::uint16_t value) { store_le(to, value); }
void store_le32(MutableBytes to, std::uint32_t value) { store_le(to, value); }
void store_le64(MutableBytes to, std::uint64_t value) { store_le(to, value); }
void store_be32(MutableBytes to, std::uint32_t value) {
  PV_CHECK(to.size() >= sizeof(value));
  for (std::size_t i = 0; i < 4; ++i) to[i] = static_cast<std::byte>(value >> (24 - 8 * i));
}

void Encoder::u8(std::uint8_t value) { out_.push_back(static_cast<std::byte>(value)); }
void Encoder::u16(std::uint16_t value) { append_le(out_, value); }
void Encoder::u32(std::uint32_t value) { append_le(out_, value); }
void Encoder::u64(std::uint64_t value) { append_le(out_, value); }
void Encoder::i64(std::int64_t value) { append_le(out_, static_cast<std::uint64_t>(value)); }

void Encoder::varint(std::uint64_t value) {
  while (value >= 0x80) {
    u8(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  u8(static_cast<std::uint8_t>(value));
}

void Encoder::raw(ByteView bytes) { append(out_, bytes); }
void Encoder::zeros(std::size_t count) { out_.resize(out_.size() + count); }

void Encoder::str(ByteView bytes) {
  varint(bytes.size());
  raw(bytes);
}
void Encoder::str(std::string_view text) { str(as_bytes(text)); }

Error Decoder::corrupt(std::string_view problem) const {
  return {ErrorCode::Corrupt, fmt::format("{}: {} at byte {}", what_, problem, position_)};
}

Error Decoder::too_short(std::size_t needed) {
  missing_ = needed - remaining();
  return corrupt(fmt::format("needs {} bytes, has {}", needed, remaining()));
}

Result<ByteView> Decoder::raw(std::size_t count) {
  if (count > remaining()) return too_short(count);
  const ByteView out = input_.subspan(position_, count);
  position_ += count;
  return out;
}

Result<std::uint16_t> Decoder::u16() {
  PV_TRY_ASSIGN(const ByteView bytes, raw(2));
  return load_le16(bytes);
}
Result<std::uint32_t> Decoder::u32() {
  PV_TRY_ASSIGN(const ByteView bytes, raw(4));
  return load_le32(bytes);
}
Result<std::uint64_t> Decoder::u64() {
  PV_TRY_ASSIGN(const ByteView bytes, raw(8));
  return load_le64(bytes);
}
Result<std::int64_t> Decoder::i64() {
  PV_TRY_ASSIGN(const std::uint64_t value, u64());
  return static_cast<std::int64_t>(value);
}

Result<std::uint64_t> Decoder::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    PV_TRY_ASSIGN(const std::uint8_t byte, u8());
    const std::uint64_t bits = byte & 0x7FU;
    if (shift == 63 && bits > 1) return corrupt("varint over 64 bits");
    value |= bits << shift;
    if ((byte & 0x80U) == 0) {
      if (byte == 0 && shift > 0) return corrupt("varint is not minimal");
      return value;
    }
  }
  return corrupt("varint over 10 bytes");
}

Result<std::uint64_t> Decoder::varint(std::uint64_t min, std::uint64_t max) {
  PV_TRY_ASSIGN(const std::uint64_t value, varint());
  if (value < min || value > max) {
    return corrupt(fmt::format("{} is outside {}..{}", value, min, max));
  }
  return value;
}

Result<ByteView> Decoder::str(std::size_t length_max) {
  PV_TRY_ASSIGN(const std::uint64_t length, varint(0, length_max));
  return raw(length);
}

Status Decoder::finish() const {
  if (!at_end()) return corrupt(fmt::format("{} bytes left over", remaining()));
  return ok();
}

}  // namespace pagevault
