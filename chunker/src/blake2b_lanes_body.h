// The compression function over kLanes lanes: the body of one kernel. Included once by each
// blake2b_lanes_*.cc, which defines kLanes before and names the kernel after it. Vector types of
// the compiler: the same text serves every instruction set. RFC 7693, 3.1 and 3.2.

#include <string.h>

#include "blake2b_lanes.h"

namespace pagevault::chunker {
namespace {

// NOLINTBEGIN(misc-definitions-in-headers): this is no header, and each source gets its own.

using Word = uint64_t;

constexpr Word kInitial[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
                              0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
                              0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};

constexpr unsigned char kSigma[12][16] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                          {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
                                          {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
                                          {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
                                          {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
                                          {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
                                          {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
                                          {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
                                          {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
                                          {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
                                          {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                          {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3}};

typedef Word Vector __attribute__((vector_size(kLanes * sizeof(Word))));

inline void load(Vector& out, const void* from) { memcpy(&out, from, sizeof out); }
inline void store(const Vector& from, Word* to) { memcpy(to, &from, sizeof from); }

template <int R>
inline void rotate_right(Vector& x) {
  x = (x >> R) | (x << (64 - R));
}

inline void mix(Vector& a, Vector& b, Vector& c, Vector& d, const Vector& x, const Vector& y) {
  a = a + b + x;
  d ^= a;
  rotate_right<32>(d);
  c = c + d;
  b ^= c;
  rotate_right<24>(b);
  a = a + b + y;
  d ^= a;
  rotate_right<16>(d);
  c = c + d;
  b ^= c;
  rotate_right<63>(b);
}

// Transposes the square of kLanes rows, in steps: of every 2 S x 2 S square in it, the quarters off
// the diagonal change places. S and the lanes' numbers are constants to the compiler.
template <size_t S, int... I>
inline void transpose_step(Vector* rows) {
  constexpr int kStep = S;
  constexpr int kWidth = kLanes;
  for (size_t i = 0; i < kLanes; ++i) {
    if ((i & S) != 0) continue;
    const Vector a = rows[i];
    const Vector b = rows[i + S];
    rows[i] = __builtin_shufflevector(a, b, ((I & kStep) != 0 ? kWidth + I - kStep : I)...);
    rows[i + S] = __builtin_shufflevector(a, b, ((I & kStep) != 0 ? kWidth + I : I + kStep)...);
  }
}

inline void transpose(Vector* rows) {
  if constexpr (kLanes == 8) {
    transpose_step<1, 0, 1, 2, 3, 4, 5, 6, 7>(rows);
    transpose_step<2, 0, 1, 2, 3, 4, 5, 6, 7>(rows);
    transpose_step<4, 0, 1, 2, 3, 4, 5, 6, 7>(rows);
  } else {
    transpose_step<1, 0, 1, 2, 3>(rows);
    transpose_step<2, 0, 1, 2, 3>(rows);
  }
}

// The words of one block of each lane, side by side. x86 is little-endian, as BLAKE2b is.
inline void gather(const Blake2bLanes& lanes, size_t block, Vector (&words)[16]) {
  for (size_t first = 0; first < 16; first += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      load(words[first + lane], lanes.next[lane] + block * lanes.step[lane] + first * sizeof(Word));
    }
    transpose(&words[first]);
  }
}

inline void compress(Vector (&h)[8], const Vector (&m)[16], const Vector& absorbed,
                     const Vector& last) {
  Vector v[16];
  for (int i = 0; i < 8; ++i) {
    v[i] = h[i];
    v[8 + i] = Vector{} + kInitial[i];
  }
  v[12] ^= absorbed;
  v[14] ^= last;
#pragma GCC unroll 12
  for (int round = 0; round < 12; ++round) {
    const unsigned char(&s)[16] = kSigma[round];
    mix(v[0], v[4], v[8], v[12], m[s[0]], m[s[1]]);
    mix(v[1], v[5], v[9], v[13], m[s[2]], m[s[3]]);
    mix(v[2], v[6], v[10], v[14], m[s[4]], m[s[5]]);
    mix(v[3], v[7], v[11], v[15], m[s[6]], m[s[7]]);
    mix(v[0], v[5], v[10], v[15], m[s[8]], m[s[9]]);
    mix(v[1], v[6], v[11], v[12], m[s[10]], m[s[11]]);
    mix(v[2], v[7], v[8], v[13], m[s[12]], m[s[13]]);
    mix(v[3], v[4], v[9], v[14], m[s[14]], m[s[15]]);
  }
  for (int i = 0; i < 8; ++i) h[i] ^= v[i] ^ v[8 + i];
}

void absorb(Blake2bLanes& lanes, size_t blocks) {
  Vector h[8];
  for (int i = 0; i < 8; ++i) load(h[i], lanes.h[i]);
  Vector absorbed;
  Vector last;
  load(absorbed, lanes.absorbed);
  load(last, lanes.last);
  for (size_t block = 0; block < blocks; ++block) {
    absorbed = absorbed + kBlake2bBlockBytes;
    Vector words[16];
    gather(lanes, block, words);
    compress(h, words, absorbed, last);
  }
  for (int i = 0; i < 8; ++i) store(h[i], lanes.h[i]);
  store(absorbed, lanes.absorbed);
  for (size_t lane = 0; lane < kLanes; ++lane) lanes.next[lane] += blocks * lanes.step[lane];
}

// NOLINTEND(misc-definitions-in-headers)

}  // namespace
}  // namespace pagevault::chunker
