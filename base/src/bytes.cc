#include "pagevault/base/bytes.h"

#include <algorithm>
#include <cstring>

#include "pagevault/base/result.h"

namespace pagevault {

namespace {

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

}  // namespace

std::string_view as_text(ByteView bytes) {
  // The one place where bytes are seen as characters; char may alias anything.
  return {reinterpret_cast<const char*>(bytes.data()),
          bytes.size()};  // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast): see above
}

std::string to_hex(ByteView bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(2 * bytes.size());
  for (const std::byte b : bytes) {
    out += kDigits[std::to_integer<unsigned>(b) >> 4];
    out += kDigits[std::to_integer<unsigned>(b) & 15];
  }
  return out;
}

std::optional<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  Bytes out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<std::byte>(high * 16 + low));
  }
  return out;
}

void copy_bytes(ByteView from, MutableBytes to) {
  PV_CHECK(from.size() <= to.size());
  if (!from.empty()) std::memcpy(to.data(), from.data(), from.size());
}

bool equal_bytes(ByteView a, ByteView b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

bool is_all_zero(ByteView bytes) {
  // A range is zero when its first byte is and it equals itself shifted by one: memcmp does the
  // rest.
  if (bytes.empty()) return true;
  if (bytes[0] != std::byte{0} || bytes[bytes.size() - 1] != std::byte{0}) return false;
  return std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

}  // namespace pagevault
