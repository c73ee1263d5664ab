// The change gate: a fast keyed fingerprint of an extent, compared with the parent's at the same
// place. Position-bound and never an identity (S10): equal means "take the parent's extent".

#pragma once

#include <array>
#include <cstddef>

#include "pagevault/base/bytes.h"
#include "pagevault/base/secret.h"

namespace pagevault::chunker {

struct Xxh3Kernel;

/// XXH3-128 in canonical (big-endian) form.
struct Gate {
  static constexpr std::size_t kBytes = 16;
  std::array<std::byte, kBytes> bytes{};

  bool operator==(const Gate&) const = default;
  ByteView view() const { return bytes; }
};

/// K_gate of docs/format.md, section 2. Also remembers the fastest implementation this CPU runs
/// (AVX-512, AVX2, baseline; all give the same bits). Immutable, thread-safe; moves only.
class GateKey {
 public:
  static constexpr std::size_t kBytes = 192;
  /// `secret` has kBytes (checked: it comes from our own key derivation).
  explicit GateKey(SecretBytes secret);

  ByteView expose() const { return secret_.expose(); }
  const Xxh3Kernel& kernel() const { return *kernel_; }

 private:
  SecretBytes secret_;
  const Xxh3Kernel* kernel_;
};

/// The gate of `bytes`, any length. Never fails, thread-safe.
Gate gate_of(const GateKey& key, ByteView bytes);

}  // namespace pagevault::chunker
