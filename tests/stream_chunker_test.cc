#include "pagevault/chunker/stream_chunker.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <set>

#include "chunk_test_data.h"

namespace pagevault::chunker {
namespace {

using test::counting_key;
using test::cut_all;
using test::ends_of;
using test::random_bytes;

constexpr ChunkSizes kSmall{.min = 256, .target = 1024, .max = 4096};

StreamChunker make(ChunkSizes sizes, std::uint8_t key = 1) {
  return StreamChunker::create(counting_key<CutKey>(key), sizes).value();
}

// The definition in the header, word for word, without the state and the skipping.
std::size_t cut_by_definition(const std::vector<std::uint64_t>& gear, ChunkSizes sizes,
                              ByteView input) {
  const std::size_t loose_from = sizes.min + std::size_t{sizes.target - sizes.min} * 3 / 4;
  for (std::size_t p = sizes.min; p < std::min<std::size_t>(input.size(), sizes.max); ++p) {
    std::uint64_t h = 0;
    for (std::size_t k = 0; k < 64; ++k) {
      h += gear[std::to_integer<std::size_t>(input[p - 1 - k])] << k;
    }
    const std::uint64_t divisor = p < loose_from ? 4 * sizes.target : sizes.target / 4;
    if (h < UINT64_MAX / divisor) return p;
  }
  return std::min<std::size_t>(input.size(), sizes.max);
}

// The table, derived a second time: BLAKE2b-512 of the label and a counter.
std::vector<std::uint64_t> derive_gear(const CutKey& key) {
  const Bytes key_bytes = to_bytes(key.expose());
  std::vector<std::uint64_t> gear;
  for (std::uint32_t i = 0; i < 32; ++i) {
    Encoder message;
    message.raw(as_bytes("pagevault gear table v1"));
    message.u32(i);
    std::array<unsigned char, 64> block{};
    const auto* text =
        static_cast<const unsigned char*>(static_cast<const void*>(message.view().data()));
    const auto* secret =
        static_cast<const unsigned char*>(static_cast<const void*>(key_bytes.data()));
    crypto_generichash(block.data(), block.size(), text, message.size(), secret, key_bytes.size());
    Decoder words(std::as_bytes(std::span(block)), "gear block");
    while (!words.at_end()) gear.push_back(words.u64().value());
  }
  return gear;
}

TEST(StreamChunker, CutsWhereTheDefinitionSays) {
  const auto gear = derive_gear(counting_key<CutKey>(1));
  for (const ChunkSizes sizes : {kSmall, ChunkSizes{.min = 64, .target = 64, .max = 700},
                                 ChunkSizes{.min = 301, .target = 999, .max = 2001}}) {
    const auto chunker = make(sizes);
    const Bytes data = random_bytes(200'000, 3);
    ByteView rest = data;
    while (!rest.empty()) {
      const std::size_t length = chunker.cut(rest);
      ASSERT_EQ(length, cut_by_definition(gear, sizes, rest)) << "at " << data.size() - rest.size();
      rest = rest.subspan(length);
    }
  }
}

TEST(StreamChunker, CutsTheSamePlacesHoweverMuchInputLiesBeyondMax) {
  const auto chunker = make(kSmall);
  const Bytes data = random_bytes(1 << 20, 7);
  const auto whole = cut_all(chunker, data);
  for (const std::size_t beyond : {0U, 1U, 2U, 63U, 64U, 65U, 4095U, 100'000U}) {
    EXPECT_EQ(cut_all(chunker, data, kSmall.max + beyond), whole) << "beyond=" << beyond;
  }
}

TEST(StreamChunker, ObeysMinAndMaxAndLosesNoByte) {
  const auto chunker = make(kSmall);
  const Bytes data = random_bytes(1 << 20, 8);
  const auto lengths = cut_all(chunker, data);
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    EXPECT_LE(lengths[i], kSmall.max);
    if (i + 1 < lengths.size()) {
      EXPECT_GE(lengths[i], kSmall.min);
    }
  }
  EXPECT_EQ(std::accumulate(lengths.begin(), lengths.end(), std::size_t{0}), data.size());
}

TEST(StreamChunker, ReturnsAllOfAnInputThatEndsBeforeACut) {
  const auto chunker = make(kSmall);
  const Bytes data = random_bytes(kSmall.max, 9);
  const std::size_t first = chunker.cut(data);
  for (std::size_t length = 0; length <= first; ++length) {
    EXPECT_EQ(chunker.cut(ByteView(data).first(length)), length);
  }
}

TEST(StreamChunker, FallsIntoStepAfterAnInsertion) {
  constexpr std::size_t kAt = 300'000;
  const auto chunker = make(kSmall);
  const Bytes data = random_bytes(1 << 20, 10);
  Bytes changed = data;
  const Bytes inserted = random_bytes(777, 11);
  changed.insert(changed.begin() + kAt, inserted.begin(), inserted.end());

  const auto before = ends_of(cut_all(chunker, data));
  const auto after = ends_of(cut_all(chunker, changed));
  std::set<std::size_t> shifted;
  for (const std::size_t end : after) shifted.insert(end - (end > kAt ? inserted.size() : 0));
  std::size_t lost = 0;
  for (const std::size_t end : before) lost += shifted.contains(end) ? 0U : 1U;
  EXPECT_LE(lost, 12U) << "of " << before.size();
}

TEST(StreamChunker, CutsElsewhereUnderAnotherKey) {
  const Bytes data = random_bytes(1 << 20, 12);
  const auto a = ends_of(cut_all(make(kSmall, 1), data));
  const auto b = ends_of(cut_all(make(kSmall, 2), data));
  const std::set<std::size_t> in_a(a.begin(), a.end());
  const auto common =
      std::count_if(b.begin(), b.end(), [&](auto end) { return in_a.contains(end); });
  EXPECT_LT(common, static_cast<std::ptrdiff_t>(b.size() / 50));
}

TEST(StreamChunker, HasItsMeanNearTheTargetOnRandomData) {
  const auto chunker = make(kStreamChunkSizes);
  const Bytes data = random_bytes(64 * kMiB, 13);
  const auto lengths = cut_all(chunker, data);
  const double mean = static_cast<double>(data.size()) / static_cast<double>(lengths.size());
  double squares = 0;
  for (const std::size_t length : lengths) {
    squares += std::pow(static_cast<double>(length) - mean, 2);
  }
  const double deviation = std::sqrt(squares / static_cast<double>(lengths.size()));
  std::printf("stream chunker 16/64/256 KiB: %zu chunks, mean %.1f KiB, deviation %.1f KiB\n",
              lengths.size(), mean / 1024, deviation / 1024);
  EXPECT_GT(mean, 58 * 1024);
  EXPECT_LT(mean, 69 * 1024);
  EXPECT_LT(deviation, 32 * 1024);
}

TEST(StreamChunker, CutsConstantBytesAtTheSameLengthEveryTime) {
  const auto chunker = make(kStreamChunkSizes);
  const Bytes zeros(2 * kMiB);
  const auto lengths = cut_all(chunker, zeros);
  EXPECT_EQ(std::set<std::size_t>(lengths.begin(), lengths.end()).size(), 1U);
}

// covers S16
TEST(StreamChunker, RejectsSizesOutOfOrderOrOutOfBounds) {
  for (const ChunkSizes sizes :
       {ChunkSizes{.min = 63}, ChunkSizes{.min = 65 * 1024}, ChunkSizes{.target = 300 * 1024},
        ChunkSizes{.max = kChunkBytesMax + 1}}) {
    const auto chunker = StreamChunker::create(counting_key<CutKey>(1), sizes);
    ASSERT_FALSE(chunker);
    EXPECT_EQ(chunker.error().code(), ErrorCode::InvalidArgument);
  }
}

}  // namespace
}  // namespace pagevault::chunker
