#include "pagevault/base/secret.h"

#include <sodium.h>

#include <cstring>
#include <utility>

namespace pagevault {

Status init_crypto() {
  if (sodium_init() < 0) {
    return Error(ErrorCode::Unsupported, "libsodium cannot be initialised (no random source?)");
  }
  return ok();
}

SecretBytes::SecretBytes(std::size_t size) : size_(size) {
  PV_CHECK(sodium_init() >= 0);
  data_ = static_cast<std::byte*>(sodium_malloc(size));
  PV_CHECK(data_ != nullptr);  // Locked memory ran out: the limits are ours (a few dozen keys).
  std::memset(data_, 0, size);
}

SecretBytes SecretBytes::copy_of(ByteView from) {
  SecretBytes out(from.size());
  if (!from.empty()) std::memcpy(out.data_, from.data(), from.size());
  return out;
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this != &other) {
    sodium_free(data_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

SecretBytes::~SecretBytes() { sodium_free(data_); }

ByteView SecretBytes::expose() const { return {data_, size_}; }
MutableBytes SecretBytes::expose_mutable() { return {data_, size_}; }

bool equal_constant_time(ByteView a, ByteView b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

void wipe(MutableBytes bytes) { sodium_memzero(bytes.data(), bytes.size()); }

}  // namespace pagevault
