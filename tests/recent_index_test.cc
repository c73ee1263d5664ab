// The latest index objects beside the index in RocksDB: what restarts, crashes and damage leave.

#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "index_samples.h"

namespace pagevault::repo {

namespace {

namespace fs = std::filesystem;

class RecentIndexTest : public testing::Test {
 protected:
  std::unique_ptr<ChunkIndex> open() {
    return open_recent(folder_.path(), open_rocks(folder_.path() + "/index"));
  }
  // What only RocksDB knows.
  std::set<IndexId> below() { return *open_rocks(folder_.path() + "/index")->applied(); }
  fs::path file() const { return folder_.path() + "/recent"; }

  // Each in a run of its own. The first goes below, as there is nothing yet.
  void apply_in_runs(const std::vector<Applied>& objects) {
    for (const Applied& each : objects) {
      const auto index = open();
      ASSERT_TRUE(index->apply(each.id, each.object));
      ASSERT_TRUE(index->flush());
    }
  }

 private:
  TemporaryFolder folder_;
};

std::vector<Applied> objects_from(std::uint64_t seed, std::size_t count, std::size_t blobs = 50) {
  std::vector<Applied> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(random_index_object(seed + i, 3, blobs));
  return out;
}

std::set<IndexId> ids_of(const std::vector<Applied>& objects) {
  std::set<IndexId> ids;
  for (const Applied& each : objects) ids.insert(each.id);
  return ids;
}

void expect_holds_all(ChunkIndex& index, const std::vector<Applied>& objects) {
  EXPECT_EQ(*index.applied(), ids_of(objects));
  for (const Applied& each : objects) expect_holds(index, each.object);
}

TEST_F(RecentIndexTest, KeepsSmallObjectsAcrossRestartsWithoutWritingTheIndexBelow) {
  const auto objects = objects_from(40, 5);
  apply_in_runs(objects);
  EXPECT_EQ(below(), ids_of({objects[0]}));
  const auto index = open();
  expect_holds_all(*index, objects);
  EXPECT_EQ(pack_count(*index), 15U);
  EXPECT_EQ(all_places(*index).size(), 750U);
}

TEST_F(RecentIndexTest, GivesAllToTheIndexBelowWhenThereAreMany) {
  const auto objects = objects_from(50, 40);  // 150 entries each; 4,096 fit.
  apply_in_runs(objects);
  EXPECT_GT(below().size(), 20U);
  EXPECT_LT(below().size(), 40U);
  EXPECT_LT(fs::file_size(file()), 2U * kMiB);
  const auto index = open();
  expect_holds_all(*index, objects);
  EXPECT_EQ(all_places(*index).size(), 40U * 150U);
}

TEST_F(RecentIndexTest, AnObjectThatIsTooLargeGoesBelowWithThoseBeforeIt) {
  auto objects = objects_from(100, 3);
  objects.push_back(random_index_object(103, 3, 2'000));
  apply_in_runs(objects);
  EXPECT_EQ(below(), ids_of(objects));
  EXPECT_EQ(fs::file_size(file()), 0U);
  expect_holds_all(*open(), objects);
}

TEST_F(RecentIndexTest, AnObjectThatNamesAKnownPackGoesBelow) {
  auto objects = objects_from(110, 3);
  apply_in_runs(objects);
  Applied merged{random_index_object(113).id, {}};
  for (const Applied& each : objects) {
    merged.object.packs.insert(merged.object.packs.end(), each.object.packs.begin(),
                               each.object.packs.end());
  }
  objects.push_back(merged);
  const auto index = open();
  ASSERT_TRUE(index->apply(merged.id, merged.object));
  EXPECT_EQ(pack_count(*index), 9U);
  EXPECT_EQ(all_places(*index).size(), 450U);
}

// covers F5.9
TEST_F(RecentIndexTest, ARecordCutShortByACrashIsForgottenAndWrittenOver) {
  const auto objects = objects_from(120, 4);
  apply_in_runs({objects[0], objects[1]});
  const auto whole = fs::file_size(file());
  apply_in_runs({objects[2]});
  const auto longer = fs::file_size(file());
  for (const auto size : {whole + 1, whole + 43, whole + 44, longer - 1}) {
    fs::resize_file(file(), size);
    expect_holds_all(*open(), {objects[0], objects[1]});
    apply_in_runs({objects[2]});
    expect_holds_all(*open(), {objects[0], objects[1], objects[2]});
    EXPECT_EQ(fs::file_size(file()), longer);
  }
  fs::resize_file(file(), longer - 1);
  const Applied shorter = random_index_object(130, 1, 1);  // Leaves nothing of the old behind it.
  apply_in_runs({shorter});
  expect_holds_all(*open(), {objects[0], objects[1], shorter});
}

// What was in it may have been relied on, so nothing that was known is (covered_snapshots.h).
// covers F5.8, F5.9
TEST_F(RecentIndexTest, ADamagedFileBeginsAllAnew) {
  const auto objects = objects_from(140, 3);
  for (const int at : {4, 40, 200, -9, -1}) {
    SCOPED_TRACE(at);
    apply_in_runs(objects);
    const auto size = static_cast<std::int64_t>(fs::file_size(file()));
    {
      std::fstream damaged(file(), std::ios::in | std::ios::out | std::ios::binary);
      damaged.seekg(at < 0 ? size + at : at);
      const int byte = damaged.get();
      damaged.seekp(at < 0 ? size + at : at);
      damaged.put(static_cast<char>(byte ^ 1));
    }
    EXPECT_TRUE(open()->applied()->empty());
    EXPECT_TRUE(below().empty());
    EXPECT_FALSE(fs::exists(file()));
  }
}

TEST_F(RecentIndexTest, AFileLongerThanAnyOfOursBeginsAllAnew) {
  apply_in_runs(objects_from(150, 2));
  fs::resize_file(file(), 3 * kMiB);
  EXPECT_TRUE(open()->applied()->empty());
}

// A reset that a crash cut short, or RocksDB begun anew.
TEST_F(RecentIndexTest, CountsOnlyOnTopOfAnIndexThatKnowsSomething) {
  apply_in_runs(objects_from(160, 3));
  fs::remove_all(file().parent_path() / "index");
  EXPECT_TRUE(open()->applied()->empty());
  EXPECT_FALSE(fs::exists(file()));
}

// covers I9
TEST_F(RecentIndexTest, ACrashBeforeTheFileIsEmptiedLeavesNoPlaceTwice) {
  auto objects = objects_from(170, 3);
  apply_in_runs(objects);
  fs::copy_file(file(), file().string() + ".before");
  objects.push_back(random_index_object(173, 3, 2'000));
  apply_in_runs({objects[3]});
  fs::rename(file().string() + ".before", file());
  const auto index = open();
  expect_holds_all(*index, objects);
  EXPECT_EQ(all_places(*index).size(), 3U * 150U + 6'000U);
}

TEST_F(RecentIndexTest, ALookDoesNotWrite) {
  apply_in_runs(objects_from(180, 2));
  const auto before = fs::last_write_time(file());
  const auto index = open();
  EXPECT_TRUE(index->flush());
  EXPECT_EQ(fs::last_write_time(file()), before);
  EXPECT_EQ(fs::status(file()).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(RecentIndexTest, IsLookedAtWhileItIsFlushed) {
  const auto objects = objects_from(190, 20);
  apply_in_runs({objects[0]});
  const auto index = open();
  std::thread reader([&] {
    for (int i = 0; i < 50; ++i) expect_holds(*index, objects[0].object);
  });
  for (std::size_t i = 1; i < objects.size(); ++i) {
    EXPECT_TRUE(index->apply(objects[i].id, objects[i].object));
    EXPECT_TRUE(index->flush());
  }
  reader.join();
  expect_holds_all(*index, objects);
}

}  // namespace

}  // namespace pagevault::repo
