#include "pagevault/chunker/sticky_cuts.h"

#include <gtest/gtest.h>

#include "chunk_test_data.h"
#include "pagevault/chunker/page_chunker.h"

namespace pagevault::chunker {
namespace {

using test::counting_key;
using test::cut_all;
using test::ends_of;
using test::random_bytes;

constexpr std::uint32_t kPage = 4096;
constexpr std::uint32_t kMax = kPageChunkSizes.max;
using Ends = std::vector<std::uint64_t>;

PageChunker make_chunker() {
  return PageChunker::create(counting_key<CutKey>(1), kPageChunkSizes, kPage).value();
}

Ends cut_fresh(ByteView data) {
  Ends ends;
  for (const std::size_t end : ends_of(cut_all(make_chunker(), data))) ends.push_back(end);
  return ends;
}

// What a backup does with a span that has a parent.
Ends cut_sticky(const Ends& parent, ByteView data) {
  const auto chunker = make_chunker();
  const StickyCuts sticky(parent, data.size(), kMax);
  Ends ends;
  for (std::uint64_t start = 0; start < data.size(); start = ends.back()) {
    const NextCut next = sticky.next(start);
    const ByteView window = data.subspan(start, next.limit - start);
    ends.push_back(start + (next.exact ? window.size() : chunker.cut(window)));
  }
  return ends;
}

TEST(StickyCuts, KeepEveryCutWhenPagesChangeInPlace) {
  Bytes data = random_bytes(4 * kMiB, 40);
  const Ends parent = cut_fresh(data);
  test::SeededStream random(41);
  for (int i = 0; i < 200; ++i) {
    const std::size_t page = random.below(data.size() / kPage);
    data[page * kPage + random.below(kPage)] ^= std::byte{0x55};
  }
  EXPECT_NE(cut_fresh(data), parent);
  EXPECT_EQ(cut_sticky(parent, data), parent);
}

TEST(StickyCuts, RecutFromTheStartOfTheLastExtentWhenTheFileGrew) {
  const Bytes all = random_bytes(4 * kMiB, 42);
  const Ends fresh = cut_fresh(all);
  for (const std::size_t length : {1U, 4096U, 100'000U, 1'000'000U, 4'000'000U}) {
    const Ends parent = cut_fresh(ByteView(all).first(length));
    EXPECT_EQ(cut_sticky(parent, all), fresh) << "grown from " << length;
  }
}

TEST(StickyCuts, KeepWhatLiesInsideWhenTheFileShrank) {
  const Bytes all = random_bytes(4 * kMiB, 43);
  const Ends parent = cut_fresh(all);
  for (const std::size_t length : {1U, 4096U, 100'000U, 1'000'001U, 4'000'000U}) {
    const Ends shrunk = cut_sticky(parent, ByteView(all).first(length));
    EXPECT_EQ(shrunk, cut_fresh(ByteView(all).first(length))) << "shrunk to " << length;
  }
}

TEST(StickyCuts, KeepAllWhenTheFileShrankToAParentsCut) {
  const Ends parent = {4096, 8192, 20'000};
  const StickyCuts sticky(parent, 8192, kMax);
  EXPECT_EQ(sticky.kept_length(), 8192U);
  EXPECT_EQ(sticky.next(0), (NextCut{.limit = 4096, .exact = true}));
  EXPECT_EQ(sticky.next(4096), (NextCut{.limit = 8192, .exact = true}));
}

TEST(StickyCuts, LeaveAllToContentWithoutAParent) {
  const StickyCuts sticky({}, 5000, kMax);
  EXPECT_EQ(sticky.kept_length(), 0U);
  EXPECT_EQ(sticky.next(0), (NextCut{.limit = 5000, .exact = false}));
}

TEST(StickyCuts, LimitButDoNotForceAChunkInPlaceOfALongHole) {
  const Ends parent = {4096, 4096 + 10 * kMax, 4096 + 11 * kMax};
  const StickyCuts sticky(parent, parent.back(), kMax);
  EXPECT_EQ(sticky.next(4096), (NextCut{.limit = parent[1], .exact = false}));
  EXPECT_EQ(sticky.next(parent[1] - kMax), (NextCut{.limit = parent[1], .exact = true}));
  EXPECT_EQ(sticky.next(parent[1]), (NextCut{.limit = parent[2], .exact = true}));
}

TEST(StickyCuts, GoForwardAndReachTheEndForAnyParentAndLength) {
  test::SeededStream random(44);
  for (int round = 0; round < 2000; ++round) {
    Ends parent;
    for (std::uint64_t n = random.below(8), end = 0; n > 0; --n) {
      parent.push_back(end += 1 + random.below(2 * kMax));
    }
    const std::uint64_t length = 1 + random.below(10 * kMax);
    const StickyCuts sticky(parent, length, kMax);
    EXPECT_LE(sticky.kept_length(), length);
    for (std::uint64_t start = 0; start < length;) {
      const NextCut next = sticky.next(start);
      ASSERT_GT(next.limit, start);
      ASSERT_LE(next.limit, length);
      if (next.exact) {
        ASSERT_LE(next.limit - start, kMax);
      }
      start = next.limit;
    }
  }
}

}  // namespace
}  // namespace pagevault::chunker
