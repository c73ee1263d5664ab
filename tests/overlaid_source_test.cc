// Files with something laid over them, block by block.

#include "overlaid_source.h"

#include "changed_scenario.h"

namespace pagevault::testing {
namespace {

using engine::Block;
using engine::kBlockBytes;

constexpr std::size_t kPage = 4096;

class OverlaidSource : public ::testing::Test {
 protected:
  void SetUp() override { env.make_dirs("/src"); }

  /// What the source gives of `ranges` of a file with `content`: offset -> bytes.
  Result<std::map<std::uint64_t, Bytes>> read(const Bytes& content, Ranges ranges,
                                              engine::OverlaidBlockSource::Overlay overlay) {
    env.write_file("/src/db", content);
    PV_TRY_ASSIGN(auto dir, env.open_dir("/src"));
    PV_TRY_ASSIGN(auto file, dir->open_file("db", OpenMode::Read));
    engine::BlockPool pool(8);
    const auto queue = env.make_io_queue(8);
    engine::OverlaidBlockSource source(*queue, pool, *file, std::move(ranges), std::move(overlay));
    std::map<std::uint64_t, Bytes> out;
    while (true) {
      PV_TRY_ASSIGN(const std::shared_ptr<Block> block, source.next());
      if (!block) return out;
      out[block->offset] = to_bytes(ByteView(block->data()).first(block->length));
    }
  }

  SimEnv env;
};

Status nothing_over(std::uint64_t, MutableBytes, std::size_t) { return ok(); }

TEST_F(OverlaidSource, GivesZerosBeyondTheEndOfTheFileAndAllOfTheRanges) {
  const Bytes content = random_bytes(3 * kPage, 1);
  const auto got =
      read(content, {{kPage, kPage}, {2 * kPage + 100, 2 * kPage}, {9 * kPage, 10}}, nothing_over);
  ASSERT_TRUE(got) << got.error().message();
  Bytes image = content;
  image.resize(20 * kPage);
  ASSERT_EQ(got->size(), 3U);
  for (const auto& [offset, bytes] : *got) {
    EXPECT_TRUE(equal_bytes(bytes, ByteView(image).subspan(offset, bytes.size()))) << offset;
  }
  EXPECT_EQ(got->at(2 * kPage + 100).size(), 2 * kPage);
  EXPECT_EQ(got->at(9 * kPage).size(), 10U);
}

TEST_F(OverlaidSource, TheOverlayHasTheLastWordAndKnowsWhatTheFileHas) {
  const std::uint64_t length = kBlockBytes + 5 * kPage;
  std::vector<std::size_t> from_file;
  const auto got = read(random_bytes(length, 2), {{0, 3 * kBlockBytes}},
                        [&](std::uint64_t offset, MutableBytes bytes, std::size_t from) {
                          from_file.push_back(from);
                          for (std::size_t at = 0; at < bytes.size(); at += kPage) {
                            store_le64(bytes.subspan(at).first<8>(), offset + at);
                          }
                          return ok();
                        });
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_EQ(from_file, (std::vector<std::size_t>{kBlockBytes, 5 * kPage, 0}));
  for (const auto& [offset, bytes] : *got) {
    EXPECT_EQ(bytes.size(), kBlockBytes);
    EXPECT_EQ(load_le64(ByteView(bytes).subspan(kPage).first<8>()), offset + kPage);
  }
}

TEST_F(OverlaidSource, AnErrorOfTheOverlayEndsTheSource) {
  const auto got = read(random_bytes(kPage, 3), {{0, 2 * kPage}},
                        [](std::uint64_t, MutableBytes bytes, std::size_t from) -> Status {
                          if (from == bytes.size()) return ok();
                          return Error(ErrorCode::Corrupt, "page 2 is nowhere");
                        });
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().message(), "page 2 is nowhere");
}

TEST_F(OverlaidSource, APageLiesInOneBlockWhereRangesBeginAtPages) {
  for (const std::size_t page : {512U, 4096U, 65'536U}) {
    const auto got = read(Bytes(), {{3 * page, 40 * kMiB / 16 + page}, {8 * kMiB, 2 * page}},
                          [&](std::uint64_t offset, MutableBytes bytes, std::size_t) {
                            EXPECT_EQ(offset % page, 0U);
                            EXPECT_EQ(bytes.size() % page, 0U);
                            return ok();
                          });
    EXPECT_TRUE(got);
  }
}

// What a snapshot of a WAL does: the file is old, the image is not.
TEST_F(OverlaidSource, TheMapIsThatOfTheImage) {
  Vault vault(env);
  ASSERT_TRUE(vault.init());
  const Bytes old = page_database(700, kPage, 1);
  ChangingFile image(old, kPage, 2);
  env.write_file("/src/db", old);
  ChangedScenario scenario(env, vault, "/src", "db");
  ASSERT_TRUE(scenario.step({}));
  for (const std::size_t page : {1U, 300U, 699U}) image.change(page);
  image.resize(800 * kPage);
  const auto lay_over = [&](std::uint64_t offset, MutableBytes bytes, std::size_t) {
    std::ranges::copy(ByteView(image.content()).subspan(offset, bytes.size()), bytes.begin());
    return ok();
  };
  const auto done = scenario.step(
      {.changed = image.changed(), .image_length = image.content().size(), .overlay = lay_over});
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_FALSE(done->differed);
  EXPECT_TRUE(*scenario.restored() == image.content());
}

}  // namespace
}  // namespace pagevault::testing
