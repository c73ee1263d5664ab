#include "blake2b_lanes.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace pagevault::chunker {
namespace {

using Block = std::array<unsigned char, kBlake2bBlockBytes>;

// RFC 7693, 2.6, and the parameter block of 2.5: 32 bytes of hash, 32 of key, one level.
constexpr std::array<std::uint64_t, 8> kKeyed256 = {0x6a09e667f3bcc908 ^ 0x01012020,
                                                    0xbb67ae8584caa73b,
                                                    0x3c6ef372fe94f82b,
                                                    0xa54ff53a5f1d36f1,
                                                    0x510e527fade682d1,
                                                    0x9b05688c2b3e6c1f,
                                                    0x1f83d9abfb41bd6b,
                                                    0x5be0cd19137e2179};
constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kHashBytes = 32;

// Hands messages to lanes as they become free. A message's blocks but the last are read where they
// are; the last is copied and filled up with zeros.
class LaneSchedule {
 public:
  LaneSchedule(const Blake2bKernel& kernel, const Blake2bMessage* messages, std::size_t count)
      : kernel_(kernel), messages_(messages), count_(count) {}

  void run(const unsigned char* key32) {
    absorb_key(key32);
    for (std::size_t lane = 0; lane < kernel_.lanes; ++lane) start(lane);
    while (active_ > 0) {
      const std::size_t whole = whole_blocks_min();
      if (whole == 0) {
        step_over_last_blocks();
      } else {
        absorb(whole);
      }
    }
  }

 private:
  struct Lane {
    const Blake2bMessage* message = nullptr;  // Null: idle.
    std::size_t blocks = 0;                   // Left before the last one.
    Block last{};
  };

  // The key fills a block of its own, the first, so every message continues from one state.
  void absorb_key(const unsigned char* key32) {
    Block key{};
    std::copy_n(key32, kKeyBytes, key.begin());
    for (std::size_t lane = 0; lane < kernel_.lanes; ++lane) {
      for (std::size_t i = 0; i < 8; ++i) states_.h[i][lane] = kKeyed256[i];
      states_.next[lane] = key.data();
    }
    kernel_.absorb(states_, 1);
    for (std::size_t i = 0; i < 8; ++i) keyed_[i] = states_.h[i][0];
    // The key must not stay on the stack; the compiler may not drop this.
    explicit_bzero(key.data(), key.size());
  }

  void start(std::size_t lane) {
    Lane& it = lanes_[lane];
    states_.last[lane] = 0;
    if (begun_ == count_) {
      it.message = nullptr;
      states_.next[lane] = it.last.data();
      states_.step[lane] = 0;
      return;
    }
    it.message = &messages_[begun_++];
    it.blocks = (it.message->length - 1) / kBlake2bBlockBytes;
    ++active_;
    for (std::size_t i = 0; i < 8; ++i) states_.h[i][lane] = keyed_[i];
    states_.absorbed[lane] = kBlake2bBlockBytes;
    states_.next[lane] = it.message->bytes;
    states_.step[lane] = kBlake2bBlockBytes;
    if (it.blocks == 0) prepare_last(lane);
  }

  void prepare_last(std::size_t lane) {
    Lane& it = lanes_[lane];
    const std::size_t left = (it.message->length - 1) % kBlake2bBlockBytes + 1;
    it.last.fill(0);
    std::copy_n(states_.next[lane], left, it.last.begin());
    states_.next[lane] = it.last.data();
    states_.step[lane] = 0;
    states_.absorbed[lane] -= kBlake2bBlockBytes - left;
    states_.last[lane] = ~std::uint64_t{0};
  }

  std::size_t whole_blocks_min() const {
    std::size_t least = SIZE_MAX;
    for (std::size_t lane = 0; lane < kernel_.lanes; ++lane) {
      if (lanes_[lane].message != nullptr) least = std::min(least, lanes_[lane].blocks);
    }
    return least;
  }

  void absorb(std::size_t blocks) {
    kernel_.absorb(states_, blocks);
    for (std::size_t lane = 0; lane < kernel_.lanes; ++lane) {
      Lane& it = lanes_[lane];
      if (it.message == nullptr) continue;
      it.blocks -= blocks;
      if (it.blocks == 0) prepare_last(lane);
    }
  }

  // One block in every lane: the last one of some messages, the next one of the others.
  void step_over_last_blocks() {
    kernel_.absorb(states_, 1);
    for (std::size_t lane = 0; lane < kernel_.lanes; ++lane) {
      Lane& it = lanes_[lane];
      if (it.message == nullptr) continue;
      if (states_.last[lane] != 0) {
        finish(lane);
        start(lane);
      } else if (--it.blocks == 0) {
        prepare_last(lane);
      }
    }
  }

  void finish(std::size_t lane) {
    std::array<std::uint64_t, kHashBytes / sizeof(std::uint64_t)> words{};
    for (std::size_t i = 0; i < words.size(); ++i) words[i] = states_.h[i][lane];
    std::memcpy(lanes_[lane].message->hash, words.data(), kHashBytes);
    --active_;
  }

  const Blake2bKernel& kernel_;
  const Blake2bMessage* messages_;
  std::size_t count_;
  std::size_t begun_ = 0;
  std::size_t active_ = 0;  // Lanes with a message.
  std::array<std::uint64_t, 8> keyed_{};
  std::array<Lane, kBlake2bLanesMax> lanes_{};
  Blake2bLanes states_{};
};

}  // namespace

const Blake2bKernel* blake2b_kernel(std::size_t n) {
  std::array<const Blake2bKernel*, 3> usable{};
  std::size_t count = 0;
#ifdef PAGEVAULT_BLAKE2B_X86
  if (__builtin_cpu_supports("avx512f")) usable[count++] = &kBlake2bAvx512;
  if (__builtin_cpu_supports("avx512vl")) usable[count++] = &kBlake2bAvx512Vl;
  if (__builtin_cpu_supports("avx2")) usable[count++] = &kBlake2bAvx2;
#endif
  return n < count ? usable[n] : nullptr;
}

void blake2b_256_each(const Blake2bKernel& kernel, const unsigned char* key32,
                      const Blake2bMessage* messages, std::size_t count) {
  LaneSchedule(kernel, messages, count).run(key32);
}

}  // namespace pagevault::chunker
