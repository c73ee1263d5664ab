#include "pagevault/repo/credential.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <string_view>

#include "pagevault/repo/aead.h"
#include "sodium_bytes.h"

namespace pagevault::repo {

namespace {

constexpr std::string_view kKeyFilePrefix = "pagevault-key-1:";
constexpr std::string_view kPaperKeyPrefix = "pagevault-master-1:";
constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kCheckBytes = 4;

constexpr std::size_t line_bytes(std::string_view prefix) {
  return prefix.size() + 2 * kSecretBytes + 1 + 2 * kCheckBytes + 1;
}

/// Hex digits of `from` at `at`. sodium_bin2hex is constant-time, and ends with a NUL, which the
/// next character overwrites.
void put_hex(MutableBytes line, std::size_t at, ByteView from) {
  char* const to = static_cast<char*>(static_cast<void*>(line.subspan(at).data()));
  sodium_bin2hex(to, 2 * from.size() + 1, sodium_in(from), from.size());
}

SecretBytes format_line(std::string_view prefix, ByteView secret) {
  PV_CHECK(secret.size() == kSecretBytes);
  SecretBytes line(line_bytes(prefix));
  const MutableBytes out = line.expose_mutable();
  const std::size_t colon = prefix.size() + 2 * kSecretBytes;
  std::ranges::copy(as_bytes(prefix), out.begin());
  put_hex(out, prefix.size(), secret);
  out[colon] = std::byte{':'};
  put_hex(out, colon + 1, ByteView(blake2b_256({}, secret)).first(kCheckBytes));
  out.back() = std::byte{'\n'};
  return line;
}

/// `line` with its line feed. What format_line would not have written is refused, which checks
/// prefix, digits and check digits at once.
Result<SecretBytes> parse_line(std::string_view prefix, ByteView line, std::string_view what) {
  const Error refused(
      ErrorCode::InvalidArgument,
      fmt::format("{}: not one line of {} and {} digits with the right check digits", what, prefix,
                  2 * kSecretBytes));
  if (line.size() != line_bytes(prefix)) return refused;
  SecretBytes secret(kSecretBytes);
  const std::string_view digits = as_text(line.subspan(prefix.size(), 2 * kSecretBytes));
  std::size_t decoded = 0;
  const int failed = sodium_hex2bin(sodium_out(secret.expose_mutable()), kSecretBytes,
                                    digits.data(), digits.size(), nullptr, &decoded, nullptr);
  if (failed != 0 || decoded != kSecretBytes) return refused;
  if (!equal_constant_time(format_line(prefix, secret.expose()).expose(), line)) return refused;
  return secret;
}

/// `text` and a line feed.
SecretBytes with_line_feed(ByteView text) {
  SecretBytes line(text.size() + 1);
  std::ranges::copy(text, line.expose_mutable().begin());
  line.expose_mutable().back() = std::byte{'\n'};
  return line;
}

bool is_space(std::byte character) {
  return std::string_view(" \t\r\n\v\f").find(std::to_integer<char>(character)) !=
         std::string_view::npos;
}

std::byte to_lower(std::byte character) {
  const bool capital = character >= std::byte{'A'} && character <= std::byte{'Z'};
  return capital ? character | std::byte{0x20} : character;
}

}  // namespace

SecretBytes format_key_file(const KeyFileSecret& secret) {
  return format_line(kKeyFilePrefix, secret.bytes.expose());
}

Result<KeyFileSecret> parse_key_file(ByteView text) {
  constexpr std::string_view kWhat = "key file";
  const bool whole = !text.empty() && text.back() == std::byte{'\n'};
  PV_TRY_ASSIGN(SecretBytes secret,
                whole ? parse_line(kKeyFilePrefix, text, kWhat)
                      : parse_line(kKeyFilePrefix, with_line_feed(text).expose(), kWhat));
  return KeyFileSecret{std::move(secret)};
}

SecretBytes format_paper_key(ByteView master32) { return format_line(kPaperKeyPrefix, master32); }

Result<SecretBytes> parse_paper_key(ByteView text) {
  const auto length = static_cast<std::size_t>(
      std::ranges::count_if(text, [](std::byte character) { return !is_space(character); }));
  SecretBytes line(length + 1);
  auto to = line.expose_mutable().begin();
  for (const std::byte character : text) {
    if (!is_space(character)) *to++ = to_lower(character);
  }
  *to = std::byte{'\n'};
  return parse_line(kPaperKeyPrefix, line.expose(), "paper key");
}

}  // namespace pagevault::repo
