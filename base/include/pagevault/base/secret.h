// Key material in guarded memory: locked, wiped on destruction, never printed, never compared
// with ==. One type per key role is made by deriving from SecretBytes<N> with a tag.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"

namespace pagevault {

/// Initialises libsodium; call once at program start, idempotent, thread-safe.
/// Errors: Unsupported when the library or the kernel's random source is unusable (S12).
Status init_crypto();

/// A secret of fixed or variable length in sodium_malloc memory; short ones share its pages. Moves
/// only.
class SecretBytes {
 public:
  SecretBytes() = default;
  /// Zero-filled.
  explicit SecretBytes(std::size_t size);
  /// Copies `from`; wiping the source is the caller's business.
  static SecretBytes copy_of(ByteView from);
  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes();

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  /// The bytes themselves; named so that uses can be searched for.
  ByteView expose() const;
  MutableBytes expose_mutable();
  /// An explicit copy, for a second owner.
  SecretBytes clone() const { return copy_of(expose()); }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// A 32-byte key whose role is its type: keys of different roles do not convert.
template <class Role>
class SecretKey {
 public:
  static constexpr std::size_t kBytes = 32;
  SecretKey() : bytes_(kBytes) {}
  explicit SecretKey(SecretBytes bytes) : bytes_(std::move(bytes)) {
    PV_CHECK(bytes_.size() == kBytes);
  }
  ByteView expose() const { return bytes_.expose(); }
  MutableBytes expose_mutable() { return bytes_.expose_mutable(); }
  SecretKey clone() const { return SecretKey(bytes_.clone()); }

 private:
  SecretBytes bytes_;
};

/// Constant-time comparison; false when the lengths differ.
bool equal_constant_time(ByteView a, ByteView b);

/// Overwrites memory in a way the compiler keeps.
void wipe(MutableBytes bytes);

}  // namespace pagevault
