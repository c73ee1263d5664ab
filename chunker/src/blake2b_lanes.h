// Keyed BLAKE2b-256 of several messages at once, one in each lane of the vector registers.
//
// One BLAKE2b cannot fill a vector unit: each of its steps waits for the one before. Eight that
// know nothing of each other can, at about five times the bytes per second (ADR 0011). The result
// is that of crypto_generichash, bit for bit; tests compare them for every length that matters.
// Source: RFC 7693.

#pragma once

#include <stddef.h>
#include <stdint.h>

namespace pagevault::chunker {

inline constexpr size_t kBlake2bBlockBytes = 128;
inline constexpr size_t kBlake2bLanesMax = 8;

/// Hashes under way. The second index is the lane; lanes a kernel has not are not looked at.
struct Blake2bLanes {
  alignas(64) uint64_t h[8][kBlake2bLanesMax];
  /// Message bytes absorbed. A kernel adds a block's length for each block: before a last block
  /// that is shorter, what it lacks is taken off.
  alignas(64) uint64_t absorbed[kBlake2bLanesMax];
  alignas(64) uint64_t last[kBlake2bLanesMax];  ///< All ones: the next block is the last.
  const unsigned char* next[kBlake2bLanesMax];  ///< The next block.
  size_t step[kBlake2bLanesMax];                ///< From block to block; 0 in idle lanes.
};

/// One instruction set's way. Plain data: kernels are compiled with flags of their own and share no
/// inline function with the rest.
struct Blake2bKernel {
  const char* name;
  size_t lanes;
  /// Absorbs `blocks` blocks into every lane.
  void (*absorb)(Blake2bLanes& lanes, size_t blocks);
};

extern const Blake2bKernel kBlake2bAvx2;
extern const Blake2bKernel kBlake2bAvx512;
/// Its instructions on registers of half the width: for few messages, as more of them run at once.
extern const Blake2bKernel kBlake2bAvx512Vl;

/// The n-th best kernel this processor can run; null when there are no more. Most have none: then
/// libsodium does one message after the other.
const Blake2bKernel* blake2b_kernel(size_t n);

/// A message and where its 32 bytes of hash go.
struct Blake2bMessage {
  const unsigned char* bytes;
  size_t length;  ///< Not 0.
  unsigned char* hash;
};

/// Hashes all messages with a key of 32 bytes. Thread-safe.
void blake2b_256_each(const Blake2bKernel& kernel, const unsigned char* key32,
                      const Blake2bMessage* messages, size_t count);

}  // namespace pagevault::chunker
