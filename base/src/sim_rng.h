// The simulator's random stream: xoshiro256++ seeded through splitmix64 (Blackman and Vigna, public
// domain). Test only.

#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace pagevault::sim {

class Rng {
 public:
  explicit Rng(std::uint64_t seed) {
    for (auto& word : state_) word = mix(seed += 0x9E3779B97F4A7C15ULL);
  }

  std::uint64_t next() {
    const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t shifted = state_[1] << 17U;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  /// Below `bound`, which is not zero. The bias of the remainder does not matter to tests.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  /// True in `numerator` of `denominator` cases.
  bool chance(std::uint64_t numerator, std::uint64_t denominator) {
    return below(denominator) < numerator;
  }

  /// Spreads the bits of one word (the finaliser of splitmix64).
  static constexpr std::uint64_t mix(std::uint64_t word) {
    word = (word ^ (word >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    word = (word ^ (word >> 27U)) * 0x94D049BB133111EBULL;
    return word ^ (word >> 31U);
  }

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace pagevault::sim
