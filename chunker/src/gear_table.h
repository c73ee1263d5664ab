// The 256 random words of the gear hash.

#pragma once

#include <array>
#include <cstdint>

namespace pagevault::chunker {

struct GearTable {
  std::array<std::uint64_t, 256> word{};
};

}  // namespace pagevault::chunker
