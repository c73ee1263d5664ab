// Strong 256-bit (and 128-bit) identifiers: same bits, different meaning, different type.

#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "pagevault/base/bytes.h"

namespace pagevault {

template <class Tag, std::size_t N>
struct Identifier {
  static constexpr std::size_t kBytes = N;
  std::array<std::byte, N> bytes{};

  auto operator<=>(const Identifier&) const = default;

  ByteView view() const { return bytes; }
  bool is_zero() const { return is_all_zero(bytes); }
  /// All digits, or the first `digits` of them.
  std::string hex(std::size_t digits = 2 * N) const { return to_hex(bytes).substr(0, digits); }

  /// `from` has exactly N bytes (checked by the caller).
  static Identifier from_view(ByteView from) {
    Identifier id;
    std::copy_n(from.begin(), N, id.bytes.begin());
    return id;
  }
  static std::optional<Identifier> from_hex(std::string_view text) {
    const auto raw = pagevault::from_hex(text);
    if (!raw || raw->size() != N) return std::nullopt;
    return from_view(*raw);
  }
};

template <class Tag>
using Digest256 = Identifier<Tag, 32>;

/// Name of a chunk's content: keyed BLAKE2b-256 of its plaintext.
using ChunkId = Digest256<struct ChunkIdTag>;
/// Name of a pack; random, and the salt of its key.
using PackId = Digest256<struct PackIdTag>;
using SnapshotId = Digest256<struct SnapshotIdTag>;
using SessionId = Digest256<struct SessionIdTag>;
using RepositoryId = Identifier<struct RepositoryIdTag, 16>;
using ClientId = Identifier<struct ClientIdTag, 16>;

}  // namespace pagevault

/// Ids are uniformly distributed already: their first bytes are the hash.
template <class Tag, std::size_t N>
struct std::hash<pagevault::Identifier<Tag, N>> {
  std::size_t operator()(const pagevault::Identifier<Tag, N>& id) const noexcept {
    std::size_t out = 0;
    std::memcpy(&out, id.bytes.data(), sizeof out);
    return out;
  }
};
