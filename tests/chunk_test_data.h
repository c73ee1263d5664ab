// Seeded data, keys and the cutting loop of the chunker tests.

#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "pagevault/base/bytes.h"
#include "pagevault/base/codec.h"
#include "pagevault/base/secret.h"

namespace pagevault::test {

/// SplitMix64: fixed for ever, because goldens were made from it.
class SeededStream {
 public:
  explicit SeededStream(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t limit) { return next() % limit; }

 private:
  std::uint64_t state_;
};

/// `size` bytes: the little-endian words of SeededStream(seed).
inline Bytes random_bytes(std::size_t size, std::uint64_t seed) {
  SeededStream stream(seed);
  Bytes out(size + 7);
  for (std::size_t i = 0; i < size; i += 8) {
    store_le64(MutableBytes(out).subspan(i, 8), stream.next());
  }
  out.resize(size);
  return out;
}

/// A key of 32 bytes that count up from `first`.
template <class Key>
Key counting_key(std::uint8_t first) {
  Key key;
  for (std::byte& byte : key.expose_mutable()) byte = std::byte{first++};
  return key;
}

/// Lengths of the chunks of `input`; the chunker sees at most `window` bytes at a time (at least
/// its max).
template <class Chunker>
std::vector<std::size_t> cut_all(const Chunker& chunker, ByteView input, std::size_t window) {
  std::vector<std::size_t> lengths;
  while (!input.empty()) {
    lengths.push_back(chunker.cut(input.first(std::min(window, input.size()))));
    if (lengths.back() == 0 || lengths.back() > input.size())
      return lengths;  // A bug: callers see it.
    input = input.subspan(lengths.back());
  }
  return lengths;
}

template <class Chunker>
std::vector<std::size_t> cut_all(const Chunker& chunker, ByteView input) {
  return cut_all(chunker, input, input.size());
}

/// Where chunks end, from the start of the input.
inline std::vector<std::size_t> ends_of(const std::vector<std::size_t>& lengths) {
  std::vector<std::size_t> ends;
  std::size_t end = 0;
  for (const std::size_t length : lengths) ends.push_back(end += length);
  return ends;
}

}  // namespace pagevault::test
