// Gate and chunk id.

#include <gtest/gtest.h>
#include <sodium.h>
#include <xxhash.h>

#include <array>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "blake2b_lanes.h"
#include "chunk_test_data.h"
#include "pagevault/chunker/chunk_id.h"
#include "pagevault/chunker/cut_key.h"
#include "pagevault/chunker/gate.h"
#include "xxh3_kernel.h"

namespace pagevault::chunker {
namespace {

using test::counting_key;
using test::random_bytes;

static_assert(!std::is_copy_constructible_v<GateKey>);
static_assert(!std::is_convertible_v<DataIdKey, MetaIdKey>);
static_assert(!std::is_constructible_v<CutKey, DataIdKey>);

GateKey make_gate_key(std::uint64_t seed) {
  return GateKey(SecretBytes::copy_of(random_bytes(GateKey::kBytes, seed)));
}

// Every length class of XXH3, and both sides of its block borders.
std::vector<std::size_t> lengths_of_interest() {
  std::vector<std::size_t> lengths;
  for (std::size_t n = 0; n <= 300; ++n) lengths.push_back(n);
  for (const std::size_t n : {1024U, 4096U, 8192U, 65536U, 131072U}) {
    lengths.insert(lengths.end(), {n - 1, n, n + 1});
  }
  return lengths;
}

TEST(Gate, IsTheSameFromEveryKernelThisCpuRuns) {
  const Bytes data = random_bytes(131'073, 50);
  const Bytes secret = random_bytes(192, 51);
  ASSERT_NE(xxh3_kernel(0), nullptr);
  for (std::size_t n = 0; const Xxh3Kernel* kernel = xxh3_kernel(n); ++n) {
    std::printf("kernel %s\n", kernel->name);
    for (const std::size_t length : lengths_of_interest()) {
      const auto hash = kernel->hash128(data.data(), length, secret.data());
      const auto plain = kXxh3Baseline.hash128(data.data(), length, secret.data());
      ASSERT_EQ(hash.high, plain.high) << kernel->name << " " << length;
      ASSERT_EQ(hash.low, plain.low) << kernel->name << " " << length;
      ASSERT_EQ(kernel->hash64(data.data(), length, secret.data()),
                kXxh3Baseline.hash64(data.data(), length, secret.data()));
    }
  }
}

TEST(Gate, IsTheCanonicalFormOfTheLibrarysHash) {
  const auto key = make_gate_key(52);
  const Bytes data = random_bytes(131'073, 53);
  for (const std::size_t length : lengths_of_interest()) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(
        &canonical,
        XXH3_128bits_withSecret(data.data(), length, key.expose().data(), GateKey::kBytes));
    const Gate gate = gate_of(key, ByteView(data).first(length));
    ASSERT_EQ(to_hex(gate.view()), to_hex(std::as_bytes(std::span(canonical.digest)))) << length;
  }
}

// covers S10
TEST(Gate, DiffersUnderAnotherSecretAndForAnyFlippedBit) {
  const auto key = make_gate_key(54);
  Bytes page = random_bytes(512, 55);
  const Gate gate = gate_of(key, page);
  EXPECT_NE(gate, gate_of(make_gate_key(56), page));
  for (std::size_t bit = 0; bit < 8 * page.size(); ++bit) {
    const std::byte mask{static_cast<unsigned char>(1U << (bit % 8))};
    page[bit / 8] ^= mask;
    EXPECT_NE(gate, gate_of(key, page)) << bit;
    page[bit / 8] ^= mask;
  }
}

std::string blake2b_hex(ByteView key, ByteView plain) {
  const auto* text = static_cast<const unsigned char*>(static_cast<const void*>(plain.data()));
  const auto* secret = static_cast<const unsigned char*>(static_cast<const void*>(key.data()));
  crypto_generichash_state state;
  std::array<unsigned char, 32> out{};
  crypto_generichash_init(&state, secret, key.size(), out.size());
  crypto_generichash_update(&state, text, plain.size());
  crypto_generichash_final(&state, out.data(), out.size());
  return to_hex(std::as_bytes(std::span(out)));
}

TEST(ChunkId, IsKeyedBlake2bOfThePlaintext) {
  const auto key = counting_key<DataIdKey>(3);
  for (const std::size_t length : {0U, 1U, 127U, 128U, 129U, 65'536U}) {
    const Bytes plain = random_bytes(length, 57);
    EXPECT_EQ(chunk_id(key, plain).hex(), blake2b_hex(key.expose(), plain)) << length;
  }
}

std::vector<Bytes> messages_of(std::span<const std::size_t> lengths) {
  std::vector<Bytes> out;
  for (const std::size_t length : lengths) out.push_back(random_bytes(length, 59 + out.size()));
  return out;
}

void expect_ids_as_one_by_one(std::span<const std::size_t> lengths) {
  const auto key = counting_key<DataIdKey>(3);
  const std::vector<Bytes> plains = messages_of(lengths);
  std::vector<IdRequest> requests;
  requests.reserve(plains.size());
  for (const Bytes& plain : plains) requests.push_back({plain});
  chunk_ids(key, requests);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_EQ(requests[i].id.hex(), blake2b_hex(key.expose(), plains[i]))
        << "message " << i << " of " << requests.size() << ", length " << plains[i].size();
  }
}

TEST(ChunkIds, AreThoseOfTheChunksOneByOneHoweverMany) {
  for (std::size_t count = 0; count <= 20; ++count) {
    std::vector<std::size_t> lengths;
    for (std::size_t i = 0; i < count; ++i) lengths.push_back(1 + i * 997 % 5000);
    expect_ids_as_one_by_one(lengths);
  }
}

TEST(ChunkIds, AreThoseOfTheChunksOneByOneAroundEveryBlockBorder) {
  std::vector<std::size_t> lengths;
  for (std::size_t length = 0; length <= 520; ++length) lengths.push_back(length);
  for (const std::size_t length : {4096U, 32'768U, 65'536U, 131'071U}) lengths.push_back(length);
  expect_ids_as_one_by_one(lengths);
}

TEST(ChunkIds, AreTheSameFromEveryKernelThisProcessorRuns) {
  const auto key = counting_key<DataIdKey>(3);
  const std::vector<std::size_t> lengths = {1, 5, 127, 128, 129, 255, 256, 257, 1000, 70'000, 64};
  const std::vector<Bytes> plains = messages_of(lengths);
  for (std::size_t n = 0; const Blake2bKernel* kernel = blake2b_kernel(n); ++n) {
    std::vector<std::array<unsigned char, 32>> hashes(plains.size());
    std::vector<Blake2bMessage> messages;
    for (std::size_t i = 0; i < plains.size(); ++i) {
      const void* const bytes = plains[i].data();
      messages.push_back(
          {static_cast<const unsigned char*>(bytes), plains[i].size(), hashes[i].data()});
    }
    const void* const secret = key.expose().data();
    blake2b_256_each(*kernel, static_cast<const unsigned char*>(secret), messages.data(),
                     messages.size());
    for (std::size_t i = 0; i < plains.size(); ++i) {
      EXPECT_EQ(to_hex(std::as_bytes(std::span(hashes[i]))), blake2b_hex(key.expose(), plains[i]))
          << kernel->name << ", length " << plains[i].size();
    }
  }
}

TEST(ChunkId, DiffersBetweenTheKeysOfDataAndMetadata) {
  const Bytes plain = random_bytes(1000, 58);
  EXPECT_NE(chunk_id(counting_key<DataIdKey>(3), plain),
            chunk_id(counting_key<MetaIdKey>(4), plain));
}

}  // namespace
}  // namespace pagevault::chunker
