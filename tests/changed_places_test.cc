// What of a parent's map still holds when the source names the places that changed.

#include "changed_places.h"

#include <gtest/gtest.h>

namespace pagevault::engine {
namespace {

constexpr std::uint64_t kSpan = repo::kSpanBytes;

TEST(ChangedPlaces, LeavesExtentsThatNoRangeTouches) {
  const std::vector<ByteRange> ranges = {{4096, 4096}, {20'480, 8192}};
  const ChangedPlaces places(ranges, {.before = 65'536, .now = 65'536});
  EXPECT_TRUE(places.leaves_extent(0, 4096));
  EXPECT_FALSE(places.leaves_extent(0, 4097));
  EXPECT_FALSE(places.leaves_extent(4096, 8192));
  EXPECT_FALSE(places.leaves_extent(5000, 5001));
  EXPECT_TRUE(places.leaves_extent(8192, 20'480));
  EXPECT_FALSE(places.leaves_extent(8192, 32'768));
  EXPECT_TRUE(places.leaves_extent(28'672, 65'536));
  EXPECT_FALSE(places.leaves_span(0));
}

TEST(ChangedPlaces, TheExtentThatTheEndOfTheFileCutOffIsNotLeft) {
  const ChangedPlaces grown({}, {.before = 50'000, .now = 50'001});
  EXPECT_TRUE(grown.leaves_extent(0, 40'000));
  EXPECT_FALSE(grown.leaves_extent(40'000, 50'000)) << "ended by the end of the file, not by a cut";
  const ChangedPlaces shrunk({}, {.before = 50'000, .now = 45'000});
  EXPECT_TRUE(shrunk.leaves_extent(0, 45'000));
  EXPECT_FALSE(shrunk.leaves_extent(40'000, 45'001));
  const ChangedPlaces same({}, {.before = 50'000, .now = 50'000});
  EXPECT_TRUE(same.leaves_extent(40'000, 50'000));
}

TEST(ChangedPlaces, SpansAreLeftWhenTheyAreAsLongAndNothingIsNamedInThem) {
  const std::vector<ByteRange> ranges = {{2 * kSpan - 512, 1024}};
  const ChangedPlaces places(ranges, {.before = 5 * kSpan, .now = 4 * kSpan + 1});
  EXPECT_TRUE(places.leaves_span(0));
  EXPECT_FALSE(places.leaves_span(1));
  EXPECT_FALSE(places.leaves_span(2));
  EXPECT_TRUE(places.leaves_span(3));
  EXPECT_FALSE(places.leaves_span(4)) << "shorter now";
  const ChangedPlaces grown({}, {.before = kSpan, .now = kSpan + 512});
  EXPECT_TRUE(grown.leaves_span(0)) << "a cut is forced at the border anyway";
  EXPECT_TRUE(grown.leaves_extent(kSpan - 512, kSpan));
  EXPECT_FALSE(grown.leaves_span(1));
}

TEST(ChangedPlaces, OfAHoleOnlyWhatIsNamedIsLookedAt) {
  constexpr std::uint64_t kPiece = 65'536;
  const std::vector<ByteRange> ranges = {
      {kPiece + 512, 512}, {kPiece + 2048, 512}, {5 * kPiece, 1}};
  const ChangedPlaces places(ranges, {.before = 9 * kPiece + 100, .now = 20 * kPiece});
  EXPECT_EQ(places.named_in_hole(0, 9 * kPiece),
            (std::vector<ByteRange>{{kPiece, kPiece}, {5 * kPiece, kPiece}}));
  EXPECT_EQ(places.named_in_hole(kPiece + 1024, kPiece + 4096),
            (std::vector<ByteRange>{{kPiece + 1024, 3072}}));
  EXPECT_EQ(places.named_in_hole(6 * kPiece, 7 * kPiece), std::vector<ByteRange>());
  EXPECT_EQ(places.named_in_hole(6 * kPiece, 9 * kPiece + 100),
            (std::vector<ByteRange>{{9 * kPiece, 100}}))
      << "what follows would not begin at a page";
}

TEST(ChangedPlaces, ClippingKeepsThePartsInside) {
  const std::vector<ByteRange> ranges = {{10, 10}, {30, 10}, {50, 10}};
  EXPECT_EQ(clip(ranges, 0, 10), std::vector<ByteRange>());
  EXPECT_EQ(clip(ranges, 20, 30), std::vector<ByteRange>());
  EXPECT_EQ(clip(ranges, 15, 35), (std::vector<ByteRange>{{15, 5}, {30, 5}}));
  EXPECT_EQ(clip(ranges, 32, 36), (std::vector<ByteRange>{{32, 4}}));
  EXPECT_EQ(clip(ranges, 0, 1000), ranges);
  EXPECT_EQ(clip({}, 0, 1000), std::vector<ByteRange>());
}

TEST(ChangedPlacesDeathTest, RangesThatTouchOrDescendAreOurBug) {
  const ChangedPlaces::Lengths lengths{.before = 100, .now = 100};
  const std::vector<std::vector<ByteRange>> bad = {
      {{0, 10}, {10, 10}}, {{20, 10}, {0, 10}}, {{5, 0}}, {{UINT64_MAX, 2}}};
  for (const auto& ranges : bad) {
    EXPECT_DEATH(ChangedPlaces(ranges, lengths), "");
  }
}

}  // namespace
}  // namespace pagevault::engine
