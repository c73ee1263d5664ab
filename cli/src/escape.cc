#include "escape.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>

namespace pagevault::cli {
namespace {

struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 0;  // 0: not UTF-8 here.
};

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

// Smallest value that needs 1, 2, 3 or 4 bytes: anything less is an over-long form.
constexpr std::array<char32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};

CodePoint decode(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead < 0x80) return {lead, 1};
  const std::size_t bytes = lead >= 0xF0 && lead < 0xF8   ? 4
                            : lead >= 0xE0 && lead < 0xF0 ? 3
                            : lead >= 0xC2 && lead < 0xE0 ? 2
                                                          : 0;
  if (bytes == 0 || text.size() < bytes) return {};
  char32_t value = lead & (0x7FU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if (!is_continuation(text[i])) return {};
    value = (value << 6U) | (static_cast<unsigned char>(text[i]) & 0x3FU);
  }
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < kSmallest[bytes] || value > 0x10FFFF || surrogate) return {};
  return {value, bytes};
}

struct Range {
  char32_t first, last;
};

// What a terminal obeys or what changes how its neighbours look: controls, zero-width and
// direction marks, line separators, tags, variation of the byte order mark.
constexpr std::array kUnsafe = {
    Range{0x00, 0x1F},     Range{0x7F, 0x9F},       Range{0xAD, 0xAD},     Range{0x061C, 0x061C},
    Range{0x200B, 0x200F}, Range{0x2028, 0x202E},   Range{0x2060, 0x206F}, Range{0xFEFF, 0xFEFF},
    Range{0xFFF9, 0xFFFB}, Range{0xE0000, 0xE007F},
};

bool is_unsafe(char32_t c) {
  return std::ranges::any_of(kUnsafe, [c](Range r) { return c >= r.first && c <= r.last; });
}

void append_escaped(std::string& out, char32_t c) {
  switch (c) {
    case U'\n':
      out += "\\n";
      return;
    case U'\r':
      out += "\\r";
      return;
    case U'\t':
      out += "\\t";
      return;
    default:
      break;
  }
  const auto value = static_cast<std::uint32_t>(c);
  if (value < 0x80) {
    fmt::format_to(std::back_inserter(out), "\\x{:02x}", value);
  } else {
    fmt::format_to(std::back_inserter(out), "\\u{{{:x}}}", value);
  }
}

}  // namespace

std::string escape_for_terminal(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint c = decode(text);
    const std::size_t taken = std::max<std::size_t>(c.bytes, 1);
    if (c.bytes == 0) {
      const unsigned byte = static_cast<unsigned char>(text.front());
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
    } else if (c.value == U'\\') {
      out += "\\\\";
    } else if (is_unsafe(c.value)) {
      append_escaped(out, c.value);
    } else {
      out += text.substr(0, taken);
    }
    text.remove_prefix(taken);
  }
  return out;
}

bool is_valid_utf8(std::string_view text) {
  while (!text.empty()) {
    const CodePoint c = decode(text);
    if (c.bytes == 0) return false;
    text.remove_prefix(c.bytes);
  }
  return true;
}

std::size_t columns_of(std::string_view escaped) {
  return static_cast<std::size_t>(
      std::ranges::count_if(escaped, [](char c) { return !is_continuation(c); }));
}

std::string keep_end(std::string_view escaped, std::size_t columns) {
  constexpr std::string_view kCut = "...";
  std::size_t width = columns_of(escaped);
  if (width <= columns) return std::string(escaped);
  if (columns <= kCut.size()) return {};
  while (width > columns - kCut.size()) {
    escaped.remove_prefix(1);
    while (!escaped.empty() && is_continuation(escaped.front())) escaped.remove_prefix(1);
    --width;
  }
  return std::string(kCut) + std::string(escaped);
}

}  // namespace pagevault::cli
