#include "pagevault/chunker/page_chunker.h"

#include <gtest/gtest.h>

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
using test::SeededStream;

PageChunker make(std::uint32_t page_size, std::uint8_t key = 1) {
  return PageChunker::create(counting_key<CutKey>(key), kPageChunkSizes, page_size).value();
}

void zero(Bytes& data, std::size_t from, std::size_t length) {
  std::fill_n(data.begin() + static_cast<std::ptrdiff_t>(from), length, std::byte{0});
}

std::size_t sum(const std::vector<std::size_t>& lengths) {
  return std::accumulate(lengths.begin(), lengths.end(), std::size_t{0});
}

class PageChunkerOfSize : public testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Sizes, PageChunkerOfSize,
                         testing::Values(512, 1024, 2048, 4096, 8192, 16384, 32768, 65536));

TEST_P(PageChunkerOfSize, CutsOnlyAfterWholePagesWithinMinAndMax) {
  const Bytes data = random_bytes(8 * kMiB, 21);
  const auto lengths = cut_all(make(GetParam()), data);
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    EXPECT_EQ(lengths[i] % GetParam(), 0U);
    EXPECT_LE(lengths[i], kPageChunkSizes.max);
    if (i + 1 < lengths.size()) {
      EXPECT_GE(lengths[i], kPageChunkSizes.min);
    }
  }
  EXPECT_EQ(sum(lengths), data.size());
}

TEST_P(PageChunkerOfSize, HasItsMeanNearTheTargetOnRandomData) {
  const Bytes data = random_bytes(32 * kMiB, 22);
  const auto lengths = cut_all(make(GetParam()), data);
  const double mean = static_cast<double>(data.size()) / static_cast<double>(lengths.size());
  std::printf("page chunker 32/64/128 KiB, pages of %u: mean %.1f KiB\n", GetParam(), mean / 1024);
  EXPECT_GT(mean, 56 * 1024);
  EXPECT_LT(mean, 72 * 1024);
}

TEST_P(PageChunkerOfSize, CutsTheSamePlacesHoweverMuchInputLiesBeyondMax) {
  const auto chunker = make(GetParam());
  Bytes data = random_bytes(4 * kMiB + 333, 23);
  zero(data, 1 * kMiB, 500 * kKiB);
  zero(data, 2 * kMiB + 5 * kKiB, 40 * kKiB);
  const auto whole = cut_all(chunker, data);
  for (const std::size_t beyond : {0U, 1U, 511U, 512U, 4096U, 100'000U}) {
    EXPECT_EQ(cut_all(chunker, data, kPageChunkSizes.max + beyond), whole) << "beyond=" << beyond;
  }
}

TEST_P(PageChunkerOfSize, GivesARestShorterThanAPageToTheLastChunk) {
  const auto chunker = make(GetParam());
  SeededStream random(24);
  for (int round = 0; round < 50; ++round) {
    const std::size_t pages = 1 + random.below(kPageChunkSizes.max / GetParam() - 1);
    const Bytes data =
        random_bytes(pages * GetParam() + 1 + random.below(GetParam() - 1), random.next());
    const auto lengths = cut_all(chunker, data);
    EXPECT_NE(lengths.back() % GetParam(), 0U);
    EXPECT_GT(lengths.back(), GetParam());
  }
}

TEST_P(PageChunkerOfSize, MakesLongZeroRunsHolesOfTheirOwn) {
  const auto chunker = make(GetParam());
  const std::size_t from = 1 * kMiB;
  const std::size_t length = 320 * kKiB;
  Bytes data = random_bytes(4 * kMiB, 25);
  zero(data, from, length);
  const auto ends = ends_of(cut_all(chunker, data));
  const std::set<std::size_t> cuts(ends.begin(), ends.end());
  EXPECT_TRUE(cuts.contains(from));
  EXPECT_TRUE(cuts.contains(from + length));
  for (const std::size_t end : ends) {  // Inside the run only multiples of max.
    if (end > from && end < from + length) {
      EXPECT_EQ((end - from) % kPageChunkSizes.max, 0U);
    }
  }
}

TEST(PageChunker, FindsTheStartOfALongZeroRunHoweverNearTheChunksStart) {
  const auto chunker = make(4096);
  for (std::size_t data_pages = 1; data_pages <= 32; ++data_pages) {
    Bytes data = random_bytes(2 * kMiB, 26);
    zero(data, data_pages * 4096, 64 * kKiB);
    const auto ends = ends_of(cut_all(chunker, data));
    const std::set<std::size_t> cuts(ends.begin(), ends.end());
    EXPECT_TRUE(cuts.contains(data_pages * 4096)) << data_pages;
    EXPECT_TRUE(cuts.contains(data_pages * 4096 + 64 * kKiB)) << data_pages;
  }
}

TEST(PageChunker, NeverCutsInsideAShortZeroRun) {
  const auto chunker = make(4096);
  SeededStream random(27);
  for (int round = 0; round < 200; ++round) {
    Bytes data = random_bytes(1 * kMiB, random.next());
    const std::size_t from = random.below(200) * 4096;
    const std::size_t length = (1 + random.below(7)) * 4096;
    zero(data, from, length);
    std::size_t start = 0;
    for (const std::size_t end : ends_of(cut_all(chunker, data))) {
      const bool inside = end > from && end < from + length;
      EXPECT_TRUE(!inside || end - start == kPageChunkSizes.max) << round;
      start = end;
    }
  }
}

TEST(PageChunker, TakesAllZeroInputWholeOrInPiecesOfMax) {
  const auto chunker = make(4096);
  EXPECT_EQ(cut_all(chunker, Bytes(300'001)),
            (std::vector<std::size_t>{131'072, 131'072, 300'001 - 262'144}));
  EXPECT_EQ(cut_all(chunker, Bytes(100)), (std::vector<std::size_t>{100}));
  EXPECT_EQ(chunker.cut({}), 0U);
}

TEST(PageChunker, FallsIntoStepAfterPagesWereInserted) {
  constexpr std::size_t kAt = 80 * 8192;
  const auto chunker = make(8192);
  const Bytes data = random_bytes(16 * kMiB, 28);
  Bytes changed = data;
  const Bytes inserted = random_bytes(3 * 8192, 29);
  changed.insert(changed.begin() + kAt, inserted.begin(), inserted.end());
  const auto before = ends_of(cut_all(chunker, data));
  std::set<std::size_t> after;
  for (const std::size_t end : ends_of(cut_all(chunker, changed))) {
    after.insert(end - (end > kAt ? inserted.size() : 0));
  }
  std::size_t lost = 0;
  for (const std::size_t end : before) lost += after.contains(end) ? 0U : 1U;
  EXPECT_LE(lost, 12U) << "of " << before.size();
}

TEST(PageChunker, CutsElsewhereUnderAnotherKey) {
  const Bytes data = random_bytes(16 * kMiB, 30);
  const auto a = cut_all(make(512, 1), data);
  const auto b = cut_all(make(512, 2), data);
  const auto ends_a = ends_of(a);
  const std::set<std::size_t> in_a(ends_a.begin(), ends_a.end());
  std::size_t common = 0;
  for (const std::size_t end : ends_of(b)) common += in_a.contains(end) ? 1U : 0U;
  EXPECT_LT(common, b.size() / 10);
}

// covers F6.6
TEST(PageChunker, RejectsPageSizesThatAreNoPowerOfTwoOrOutOfRange) {
  for (const std::uint32_t size : {0U, 1U, 256U, 511U, 3000U, 131'072U}) {
    const auto chunker = PageChunker::create(counting_key<CutKey>(1), kPageChunkSizes, size);
    ASSERT_FALSE(chunker) << size;
    EXPECT_EQ(chunker.error().code(), ErrorCode::InvalidArgument);
  }
  EXPECT_FALSE(PageChunker::create(counting_key<CutKey>(1),
                                   {.min = 1024, .target = 2048, .max = 4096}, 8192));
}

}  // namespace
}  // namespace pagevault::chunker
