#include "pagevault/repo/chunk_index.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <thread>

#include "index_samples.h"

namespace pagevault::repo {

namespace {

// --- What every index must do ----------------------------------------------------------------

enum class Kind { Memory, Rocks, Recent };

std::string name_of(Kind kind) {
  if (kind == Kind::Memory) return "Memory";
  return kind == Kind::Rocks ? "Rocks" : "Recent";
}

class ChunkIndexConformance : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    index_ = open();
    ASSERT_NE(index_, nullptr);
  }
  std::unique_ptr<ChunkIndex> open() {
    if (GetParam() == Kind::Memory) return make_memory_index();
    auto rocks = open_rocks(folder_.path());
    if (GetParam() == Kind::Rocks || rocks == nullptr) return rocks;
    return open_recent(folder_.path(), std::move(rocks));
  }
  ChunkIndex& index() { return *index_; }

 private:
  TemporaryFolder folder_;
  std::unique_ptr<ChunkIndex> index_;
};

TEST_P(ChunkIndexConformance, IsEmptyAtFirst) {
  EXPECT_TRUE(index().applied()->empty());
  EXPECT_EQ(pack_count(index()), 0U);
  EXPECT_TRUE(all_places(index()).empty());
  expect_lacks(index(), random_index_object(1).object);
}

TEST_P(ChunkIndexConformance, FindsEveryChunkOfWhatWasAppliedAndNoOther) {
  const Applied first = random_index_object(1);
  const Applied second = random_index_object(2);
  ASSERT_TRUE(index().apply(first.id, first.object));
  expect_holds(index(), first.object);
  expect_lacks(index(), second.object);
  ASSERT_TRUE(index().apply(second.id, second.object));
  ASSERT_TRUE(index().flush());
  expect_holds(index(), first.object);
  expect_holds(index(), second.object);
  EXPECT_EQ(*index().applied(), (std::set<IndexId>{first.id, second.id}));
  EXPECT_EQ(pack_count(index()), 6U);
}

TEST_P(ChunkIndexConformance, VisitsEveryPackAndPlaceOnce) {
  const Applied applied = random_index_object(3);
  ASSERT_TRUE(index().apply(applied.id, applied.object));
  Lines expected;
  for (const auto& [id, lines] : places_of(applied.object)) {
    expected.insert(expected.end(), lines.begin(), lines.end());
  }
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(all_places(index()), expected);
  std::set<PackId> packs;
  ASSERT_TRUE(index().for_each_pack([&](const PackInfo& info) { packs.insert(info.id); }));
  for (const PackDirectory& pack : applied.object.packs) EXPECT_TRUE(packs.contains(pack.info.id));
}

TEST_P(ChunkIndexConformance, GivesBothPlacesOfADuplicateOldestFirst) {
  Applied first = random_index_object(4);
  Applied second = random_index_object(5);
  const ChunkId twice = first.object.packs[1].blobs[7].id;
  second.object.packs[2].blobs[9].id = twice;
  ASSERT_TRUE(index().apply(first.id, first.object));
  ASSERT_TRUE(index().flush());
  ASSERT_TRUE(index().apply(second.id, second.object));
  Lines expected = places_of(first.object)[twice];
  expected.push_back(places_of(second.object)[twice][0]);
  ASSERT_EQ(expected.size(), 2U);
  EXPECT_EQ(lines_of(*index().find(twice)), expected);
  ASSERT_TRUE(index().flush());
  EXPECT_EQ(lines_of(*index().find(twice)), expected);
}

TEST_P(ChunkIndexConformance, ApplyingTwiceChangesNothing) {
  const Applied applied = random_index_object(6);
  ASSERT_TRUE(index().apply(applied.id, applied.object));
  const Lines before = all_places(index());
  ASSERT_TRUE(index().apply(applied.id, applied.object));
  ASSERT_TRUE(index().apply(applied.id, random_index_object(7).object));  // The id decides.
  EXPECT_EQ(all_places(index()), before);
}

TEST_P(ChunkIndexConformance, KnowsThePacksOfWhatWasAppliedAndNoOther) {
  for (std::uint64_t seed = 30; seed < 33; ++seed) {
    const Applied applied = random_index_object(seed);
    for (const PackDirectory& pack : applied.object.packs) {
      EXPECT_FALSE(*index().knows_pack(pack.info.id));
    }
    ASSERT_TRUE(index().apply(applied.id, applied.object));
    for (const PackDirectory& pack : applied.object.packs) {
      EXPECT_TRUE(*index().knows_pack(pack.info.id));
    }
  }
}

TEST_P(ChunkIndexConformance, AMergedObjectAddsNoPlaceTwice) {
  const Applied first = random_index_object(8);
  const Applied second = random_index_object(9);
  ASSERT_TRUE(index().apply(first.id, first.object));
  Applied merged = second;
  merged.object.packs.insert(merged.object.packs.begin(), first.object.packs.begin(),
                             first.object.packs.end());
  merged.object.packs.push_back(second.object.packs[0]);
  merged.object.replaces = {first.id};
  ASSERT_TRUE(index().apply(merged.id, merged.object));
  expect_holds(index(), first.object);
  expect_holds(index(), second.object);
  EXPECT_EQ(pack_count(index()), 6U);
  EXPECT_EQ(all_places(index()).size(), 300U);
}

TEST_P(ChunkIndexConformance, AnEmptyObjectIsAppliedToo) {
  const Applied empty = random_index_object(10, 0);
  ASSERT_TRUE(index().apply(empty.id, empty.object));
  EXPECT_EQ(*index().applied(), std::set<IndexId>{empty.id});
}

TEST_P(ChunkIndexConformance, ForgetsEverythingOnResetAndWorksAgain) {
  const Applied applied = random_index_object(11);
  ASSERT_TRUE(index().apply(applied.id, applied.object));
  ASSERT_TRUE(index().flush());
  ASSERT_TRUE(index().reset());
  EXPECT_TRUE(index().applied()->empty());
  EXPECT_TRUE(all_places(index()).empty());
  expect_lacks(index(), applied.object);
  ASSERT_TRUE(index().apply(applied.id, applied.object));
  expect_holds(index(), applied.object);
}

TEST_P(ChunkIndexConformance, LooksUpFromSeveralThreadsWhileAnotherApplies) {
  const Applied base = random_index_object(12);
  ASSERT_TRUE(index().apply(base.id, base.object));
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] { expect_holds(index(), base.object); });
  }
  for (std::uint64_t seed = 100; seed < 110; ++seed) {
    const Applied more = random_index_object(seed);
    EXPECT_TRUE(index().apply(more.id, more.object));
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(index().applied()->size(), 11U);
}

INSTANTIATE_TEST_SUITE_P(All, ChunkIndexConformance,
                         testing::Values(Kind::Memory, Kind::Rocks, Kind::Recent),
                         [](const auto& kind) { return name_of(kind.param); });

// --- Other processes ---------------------------------------------------------------------------

constexpr std::size_t kObjectsOfTheKilled = 3;

// Large enough that memtables fill up and are written while the process still runs.
Applied object_of_the_killed(std::size_t i) { return random_index_object(400 + i, 4, 3'000); }

int own_until_let_go(const std::string& folder) {
  const auto index = open_rocks(folder);
  char byte = 1;
  if (write(STDOUT_FILENO, &byte, 1) != 1) return 1;
  return read(STDIN_FILENO, &byte, 1) == 1 ? 0 : 1;
}

// Applies its objects, flushes after the first `flush_after`, and ends without closing anything.
int apply_and_die(const std::string& folder, std::size_t flush_after) {
  const auto index = open_rocks(folder);
  for (std::size_t i = 0; i < kObjectsOfTheKilled; ++i) {
    if (i == flush_after && !index->flush()) return 1;
    const Applied next = object_of_the_killed(i);
    if (!index->apply(next.id, next.object)) return 1;
  }
  if (flush_after == kObjectsOfTheKilled && !index->flush()) return 1;
  _exit(0);
}

/// This program again with other arguments (see main); a fork alone would lack RocksDB's threads.
class OtherProcess {
 public:
  explicit OtherProcess(const std::vector<std::string>& arguments) {
    EXPECT_EQ(pipe(to_.data()), 0);
    EXPECT_EQ(pipe(from_.data()), 0);
    std::vector<std::string> all = {"chunk_index_test"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    std::vector<char*> raw;
    for (std::string& each : all) raw.push_back(each.data());
    raw.push_back(nullptr);
    process_ = fork();
    if (process_ != 0) return;
    dup2(to_[0], STDIN_FILENO);
    dup2(from_[1], STDOUT_FILENO);
    execv("/proc/self/exe", raw.data());
    _exit(127);
  }
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;
  ~OtherProcess() {
    for (const int fd : {to_[0], to_[1], from_[0], from_[1]}) ::close(fd);
  }

  void wait_until_ready() {
    char byte = 0;
    EXPECT_EQ(read(from_[0], &byte, 1), 1);
  }
  void let_go() { EXPECT_EQ(write(to_[1], "x", 1), 1); }
  int exit_code() {
    int status = 0;
    EXPECT_EQ(waitpid(process_, &status, 0), process_);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  std::array<int, 2> to_{};
  std::array<int, 2> from_{};
  pid_t process_ = 0;
};

// --- The one on disk ---------------------------------------------------------------------------

class RocksIndexTest : public testing::Test {
 protected:
  const std::string& folder() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
};

TEST_F(RocksIndexTest, KeepsWhatWasFlushedAcrossARestart) {
  const Applied first = random_index_object(20);
  const Applied second = random_index_object(21);
  for (const Applied* applied : {&first, &second}) {
    const auto index = open_rocks(folder());
    ASSERT_TRUE(index->apply(applied->id, applied->object));
    ASSERT_TRUE(index->flush());
  }
  const auto index = open_rocks(folder());
  EXPECT_EQ(*index->applied(), (std::set<IndexId>{first.id, second.id}));
  expect_holds(*index, first.object);
  expect_holds(*index, second.object);
  EXPECT_EQ(all_places(*index).size(), 300U);
}

TEST_F(RocksIndexTest, StaysCorrectOverManyShortSessions) {
  std::vector<Applied> all;
  for (std::uint64_t seed = 300; seed < 340; ++seed) {
    all.push_back(random_index_object(seed, 1, 20));
    const auto index = open_rocks(folder());
    ASSERT_TRUE(index->apply(all.back().id, all.back().object));
    ASSERT_TRUE(index->flush());
  }
  const auto index = open_rocks(folder());
  for (const Applied& each : all) expect_holds(*index, each.object);
  // Each session left a run; merging kept their number down.
  const auto tables = std::count_if(
      fs::directory_iterator(folder() + "/db"), fs::directory_iterator(),
      [](const fs::directory_entry& file) { return file.path().extension() == ".sst"; });
  EXPECT_LE(tables, 14);
}

TEST_F(RocksIndexTest, ALookDoesNotWriteToTheFolder) {
  const Applied applied = random_index_object(22);
  {
    const auto index = open_rocks(folder());
    ASSERT_TRUE(index->apply(applied.id, applied.object));
    ASSERT_TRUE(index->flush());
  }
  const auto listing = [this] {
    std::map<std::string, fs::file_time_type> out;
    for (const auto& file : fs::directory_iterator(folder() + "/db")) {
      out[file.path()] = fs::last_write_time(file.path());
    }
    return out;
  };
  const auto before = listing();
  expect_holds(*open_rocks(folder()), applied.object);
  EXPECT_EQ(listing(), before);
}

// covers F5.8
TEST_F(RocksIndexTest, AnotherLabelBeginsAnew) {
  const Applied applied = random_index_object(23);
  {
    const auto index = open_rocks(folder(), "one");
    ASSERT_TRUE(index->apply(applied.id, applied.object));
    ASSERT_TRUE(index->flush());
  }
  const auto index = open_rocks(folder(), "two");
  EXPECT_TRUE(index->applied()->empty());
  expect_lacks(*index, applied.object);
}

// covers F5.9
TEST_F(RocksIndexTest, ASecondOpenerOfTheSameProcessIsToldLocked) {
  const auto index = open_rocks(folder());
  const auto second = open_rocks_index({.folder = folder(), .label = "repository"});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::Locked) << second.error().message();
}

// covers F5.9
TEST_F(RocksIndexTest, AProcessThatOpensBesideAnOwnerIsToldLocked) {
  OtherProcess owner({"own", folder()});
  owner.wait_until_ready();
  const auto second = open_rocks_index({.folder = folder(), .label = "repository"});
  EXPECT_FALSE(second);
  if (!second) {
    EXPECT_EQ(second.error().code(), ErrorCode::Locked) << second.error().message();
  }
  owner.let_go();
  EXPECT_EQ(owner.exit_code(), 0);
  EXPECT_NE(open_rocks(folder()), nullptr);  // A dead owner locks nothing.
}

// covers F1.1, F5.8, I9
TEST_F(RocksIndexTest, AKilledProcessLeavesEachIndexObjectWhollyOrNotAtAll) {
  for (std::size_t flush_after = 0; flush_after <= kObjectsOfTheKilled; ++flush_after) {
    const TemporaryFolder folder;
    OtherProcess killed({"die", folder.path(), std::to_string(flush_after)});
    ASSERT_EQ(killed.exit_code(), 0);
    const auto index = open_rocks(folder.path());
    const auto applied = index->applied();
    ASSERT_TRUE(applied);
    EXPECT_GE(applied->size(), flush_after);
    for (std::size_t i = 0; i < kObjectsOfTheKilled; ++i) {
      const Applied each = object_of_the_killed(i);
      if (!applied->contains(each.id)) expect_lacks(*index, each.object);
      ASSERT_TRUE(index->apply(each.id, each.object));
      expect_holds(*index, each.object);
    }
  }
}

// An opener after damage may start over or keep what is whole, but never lies: each find gives an
// error, nothing, or exactly the place that was applied.
void expect_honest(ChunkIndex& index, const IndexObject& object) {
  for (const auto& [id, lines] : places_of(object)) {
    const auto found = index.find(id);
    if (!found) {
      EXPECT_TRUE(found.error().code() == ErrorCode::Corrupt ||
                  found.error().code() == ErrorCode::Io)
          << found.error().message();
    } else if (!found->empty()) {
      EXPECT_EQ(lines_of(*found), lines);
    }
  }
}

enum class Damage { Garbage, Truncate, Empty, Remove, FlipBits };

void damage(const fs::path& file, Damage how, std::uint64_t seed) {
  const auto size = fs::file_size(file);
  if (how == Damage::Remove) fs::remove(file);
  if (how == Damage::Empty) fs::resize_file(file, 0);
  if (how == Damage::Truncate) fs::resize_file(file, size / 2);
  if (how != Damage::Garbage && how != Damage::FlipBits) return;
  std::mt19937_64 random(seed);
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  const std::uintmax_t step = how == Damage::Garbage ? 1 : 700;
  for (std::uintmax_t at = 0; at < size; at += step) {
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(static_cast<char>(random()));
  }
}

std::vector<std::string> files_in(const std::string& path) {
  std::vector<std::string> out;
  for (const auto& file : fs::directory_iterator(path)) out.push_back(file.path().filename());
  return out;
}

// covers F5.8, F5.9
TEST_F(RocksIndexTest, DamageOfAnyFileIsRecoveredReportedOrBegunAnew) {
  const Applied applied = random_index_object(24, 3, 800);
  {
    const auto index = open_rocks(folder());
    ASSERT_TRUE(index->apply(applied.id, applied.object));
    ASSERT_TRUE(index->flush());
  }
  for (const std::string& name : files_in(folder() + "/db")) {
    for (const Damage how :
         {Damage::Garbage, Damage::Truncate, Damage::Empty, Damage::Remove, Damage::FlipBits}) {
      SCOPED_TRACE(name + " damage " + std::to_string(static_cast<int>(how)));
      const TemporaryFolder copy;
      fs::copy(folder() + "/db", copy.path() + "/db");
      damage(copy.path() + "/db/" + name, how, /*seed=*/77);
      const auto index = open_rocks(copy.path());
      ASSERT_NE(index, nullptr);
      expect_honest(*index, applied.object);
      if (!index->apply(applied.id, applied.object)) {
        ASSERT_TRUE(index->reset());
        ASSERT_TRUE(index->apply(applied.id, applied.object));
      }
      expect_honest(*index, applied.object);
      ASSERT_TRUE(index->reset());
      ASSERT_TRUE(index->apply(applied.id, applied.object));
      expect_holds(*index, applied.object);
    }
  }
}

// covers F5.8
TEST_F(RocksIndexTest, AForeignDatabaseFolderIsErased) {
  fs::create_directories(folder() + "/db/sub");
  std::ofstream(folder() + "/db/CURRENT") << "hello\n";
  std::ofstream(folder() + "/db/sub/x") << "junk";
  const auto index = open_rocks(folder());
  ASSERT_NE(index, nullptr);
  const Applied applied = random_index_object(25);
  ASSERT_TRUE(index->apply(applied.id, applied.object));
  expect_holds(*index, applied.object);
}

TEST_F(RocksIndexTest, AFolderThatCannotBeMadeIsAnError) {
  std::ofstream(folder() + "/file") << "x";
  const auto index = open_rocks_index({.folder = folder() + "/file/sub", .label = "r"});
  ASSERT_FALSE(index);
  EXPECT_EQ(index.error().code(), ErrorCode::Io);
}

// covers S11
TEST_F(RocksIndexTest, TheFolderIsPrivate) {
  const auto index = open_rocks(folder() + "/deep/er");
  const auto mode = fs::status(folder() + "/deep/er").permissions();
  EXPECT_EQ(mode, fs::perms::owner_all);
}

int run_as_other_process(const std::vector<std::string>& arguments) {
  if (arguments[0] == "own") return own_until_let_go(arguments[1]);
  return apply_and_die(arguments[1], std::stoul(arguments[2]));
}

}  // namespace
}  // namespace pagevault::repo

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (!arguments.empty() && (arguments[0] == "own" || arguments[0] == "die")) {
    return pagevault::repo::run_as_other_process(arguments);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
