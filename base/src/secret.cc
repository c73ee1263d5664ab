#include "pagevault/base/secret.h"

#include <sodium.h>

#include <cstring>
#include <mutex>
#include <utility>
#include <vector>

namespace pagevault {

namespace {

std::byte* guarded(std::size_t size) {
  PV_CHECK(sodium_init() >= 0);
  auto* const bytes = static_cast<std::byte*>(sodium_malloc(size));
  PV_CHECK(bytes != nullptr);  // Locked memory ran out: the limits are ours (a few dozen keys).
  std::memset(bytes, 0, size);
  return bytes;
}

// Places for short secrets, side by side in guarded pages. Each pack and each object has a key of
// its own, and guarded memory for each would be six system calls and a locked page: together 2 ms
// of a backup that takes 50. Thread-safe.
class SecretPool {
 public:
  static constexpr std::size_t kPlaceBytes = 64;

  /// Zero-filled.
  std::byte* take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) grow();
    std::byte* const place = free_.back();
    free_.pop_back();
    return place;
  }
  void give_back(std::byte* place) {
    sodium_memzero(place, kPlaceBytes);
    const std::lock_guard lock(mutex_);
    free_.push_back(place);  // Has room: grow() saw to it.
  }

 private:
  static constexpr std::size_t kPlacesMore = 64;

  void grow() {
    places_ += kPlacesMore;
    free_.reserve(places_);
    std::byte* const bytes = guarded(kPlacesMore * kPlaceBytes);
    for (std::size_t i = 0; i < kPlacesMore; ++i) free_.push_back(bytes + i * kPlaceBytes);
  }

  std::mutex mutex_;
  std::size_t places_ = 0;
  std::vector<std::byte*> free_;  // Wiped.
};

// Never destroyed, as secrets may live in statics.
SecretPool& pool() {
  static SecretPool& pool = *new SecretPool;
  return pool;
}

std::byte* allocate(std::size_t size) {
  return size <= SecretPool::kPlaceBytes ? pool().take() : guarded(size);
}

void release(std::byte* bytes, std::size_t size) {
  if (bytes == nullptr) return;
  if (size <= SecretPool::kPlaceBytes) {
    pool().give_back(bytes);
  } else {
    sodium_free(bytes);
  }
}

}  // namespace

Status init_crypto() {
  if (sodium_init() < 0) {
    return Error(ErrorCode::Unsupported, "libsodium cannot be initialised (no random source?)");
  }
  return ok();
}

SecretBytes::SecretBytes(std::size_t size) : data_(allocate(size)), size_(size) {}

SecretBytes SecretBytes::copy_of(ByteView from) {
  SecretBytes out(from.size());
  if (!from.empty()) std::memcpy(out.data_, from.data(), from.size());
  return out;
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this != &other) {
    release(data_, size_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

SecretBytes::~SecretBytes() { release(data_, size_); }

ByteView SecretBytes::expose() const { return {data_, size_}; }
MutableBytes SecretBytes::expose_mutable() { return {data_, size_}; }

bool equal_constant_time(ByteView a, ByteView b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

void wipe(MutableBytes bytes) { sodium_memzero(bytes.data(), bytes.size()); }

}  // namespace pagevault
