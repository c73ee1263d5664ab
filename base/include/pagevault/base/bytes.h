// Views and owners of raw bytes, and their text forms. Every other folder speaks in these types.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pagevault {

/// Read-only view of somebody else's bytes.
using ByteView = std::span<const std::byte>;
/// A caller's buffer to fill.
using MutableBytes = std::span<std::byte>;
/// Owned bytes.
using Bytes = std::vector<std::byte>;

inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;
inline constexpr std::uint64_t kGiB = 1024 * kMiB;

/// The bytes of `text`; valid as long as `text` is.
inline ByteView as_bytes(std::string_view text) {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}

/// The characters of `bytes`; valid as long as `bytes` is.
std::string_view as_text(ByteView bytes);

inline Bytes to_bytes(ByteView view) { return {view.begin(), view.end()}; }

/// Appends `view` to `out`.
inline void append(Bytes& out, ByteView view) { out.insert(out.end(), view.begin(), view.end()); }

/// Lower-case hex.
std::string to_hex(ByteView bytes);

/// Bytes of an even number of lower- or upper-case hex digits; nothing otherwise.
std::optional<Bytes> from_hex(std::string_view text);

/// Copies `from` to the beginning of `to`, which is at least as long and does not overlap it; at
/// memcpy's speed (std::ranges::copy goes byte by byte from const bytes, libstdc++ 12).
void copy_bytes(ByteView from, MutableBytes to);

/// True when both have the same bytes, found at memcmp's speed (std::equal over std::byte goes byte
/// by byte). Not for secrets or tags: equal_constant_time.
bool equal_bytes(ByteView a, ByteView b);

/// True when every byte is zero. Stops at the first that is not.
bool is_all_zero(ByteView bytes);

}  // namespace pagevault
