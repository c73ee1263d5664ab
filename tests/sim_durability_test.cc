// What the simulator's power loss may and may not do. These are the promises that crash tests of
// the engine build on: everything a kernel may lose is lost by some seed, nothing synced ever is.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "pagevault/base/sim_env.h"
#include "sim_vocabulary.h"

namespace pagevault {

namespace {

using sim_test::create;
using sim_test::must;
using sim_test::render;
using sim_test::text;

constexpr std::uint64_t kSeeds = 300;

/// What `observe` sees after each power loss of the present state, in another Env: `env` goes on.
template <class Observe>
std::set<std::string> outcomes(const SimEnv& env, Observe observe) {
  const SimDisk disk = env.save();
  SimEnv after;
  std::set<std::string> result;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    after.load(disk);
    after.power_loss(seed);
    result.insert(observe(after));
  }
  return result;
}

std::set<std::string> outcomes_of(const SimEnv& env, const std::string& path) {
  return outcomes(env, [&](const SimEnv& after) { return text(after, path); });
}

TEST(SimDurability, SyncedContentUnderASyncedNameSurvives) {  // covers F1.2
  SimEnv env;
  const auto root = must(env.open_dir("/"));
  const auto file = create(*root, "a");
  must(file->write_at(0, as_bytes("text")));
  must(file->sync());
  must(root->sync());
  EXPECT_THAT(outcomes_of(env, "/a"), ::testing::ElementsAre("text"));
}

TEST(SimDurability, AFileSyncedWithoutItsDirectoryMayLoseItsNameButNeverItsContent) {
  SimEnv env;
  const auto root = must(env.open_dir("/"));
  const auto file = create(*root, "a");
  must(file->write_at(0, as_bytes("text")));
  must(file->sync());
  EXPECT_THAT(outcomes_of(env, "/a"), ::testing::ElementsAre("(absent)", "text"));
}

TEST(SimDurability, ASyncedNameWithUnsyncedContentMayBeEmptyShortZeroOrStale) {
  SimEnv env;
  const auto root = must(env.open_dir("/"));
  const auto file = create(*root, "a");
  const std::string content(3000, 'x');
  must(file->write_at(0, as_bytes(content)));
  must(root->sync());
  const auto found = outcomes_of(env, "/a");
  EXPECT_FALSE(found.contains("(absent)"));
  EXPECT_TRUE(found.contains(""));
  EXPECT_TRUE(found.contains(content));
  EXPECT_TRUE(found.contains(std::string(3000, '\0')));
  const auto any = [&](auto predicate) {
    return std::any_of(found.begin(), found.end(), predicate);
  };
  EXPECT_TRUE(any([](const std::string& s) { return s.size() % 512 != 0 && s.size() < 3000; }));
  EXPECT_TRUE(any([](const std::string& s) {
    return s.find_first_not_of(std::string("x\0", 2)) != s.npos && s != "(absent)";
  }));
}

TEST(SimDurability, TearingStaysInsideTheUnsyncedRangeAndKeepsSectorsWhole) {
  SimEnv env;
  env.write_file("/a", std::string(64 * kKiB, 'o'));
  const auto root = must(env.open_dir("/"));
  const auto file = must(root->open_file("a", OpenMode::ReadWrite));
  must(file->write_at(10'240, as_bytes(std::string(20'480, 'n'))));
  bool torn = false;
  for (const std::string& found : outcomes_of(env, "/a")) {
    ASSERT_EQ(found.size(), 64 * kKiB);
    EXPECT_EQ(found.substr(0, 10'240), std::string(10'240, 'o'));
    EXPECT_EQ(found.substr(30'720), std::string(64 * kKiB - 30'720, 'o'));
    for (std::size_t at = 10'240; at < 30'720; at += 512) {
      const std::string sector = found.substr(at, 512);
      EXPECT_TRUE(sector == std::string(512, 'o') || sector == std::string(512, 'n'));
    }
    const auto middle = found.substr(10'240, 20'480);
    torn |= middle.find('o') != middle.npos && middle.find('n') != middle.npos;
  }
  EXPECT_TRUE(torn);
}

TEST(SimDurability, AnAppendNeverHurtsWhatWasSyncedBefore) {
  SimEnv env;
  const std::string old(5'000, 'o');
  env.write_file("/a", old);
  const auto root = must(env.open_dir("/"));
  must(must(root->open_file("a", OpenMode::ReadWrite))
           ->write_at(old.size(), as_bytes(std::string(9'000, 'n'))));
  for (const std::string& found : outcomes_of(env, "/a")) {
    ASSERT_GE(found.size(), old.size());
    EXPECT_EQ(found.substr(0, old.size()), old);
  }
}

TEST(SimDurability, AnUnsyncedTruncationIsDoneOrNot) {
  SimEnv env;
  env.write_file("/a", "hello world");
  const auto root = must(env.open_dir("/"));
  must(must(root->open_file("a", OpenMode::ReadWrite))->truncate(0));
  const auto found = outcomes_of(env, "/a");
  EXPECT_TRUE(found.contains(""));
  EXPECT_TRUE(found.contains("hello world"));
}

TEST(SimDurability, AnUnsyncedHoleIsThereOrNot) {
  SimEnv env;
  const std::string old(12'288, 'o');
  env.write_file("/a", old);
  const auto root = must(env.open_dir("/"));
  const auto file = must(root->open_file("a", OpenMode::ReadWrite));
  must(file->punch_hole({4096, 4096}));
  EXPECT_EQ(must(file->info()).allocated, 8192U);
  std::string punched = old;
  punched.replace(4096, 4096, 4096, '\0');
  const auto found = outcomes_of(env, "/a");
  EXPECT_TRUE(found.contains(old));
  EXPECT_TRUE(found.contains(punched));
  for (const std::string& each : found) {
    ASSERT_EQ(each.size(), old.size());
    EXPECT_EQ(each.substr(0, 4096) + each.substr(8192), old.substr(0, 8192));
  }
  must(file->sync());
  EXPECT_THAT(outcomes_of(env, "/a"), ::testing::ElementsAre(punched));
}

TEST(SimDurability, AFileRewrittenInPlaceMayBeEmptyThoughItNeverWasAtAnySync) {
  SimEnv env;
  env.write_file("/a", "old text");
  const auto root = must(env.open_dir("/"));
  const auto file = must(root->open_file("a", OpenMode::ReadWrite));
  must(file->truncate(0));
  must(file->write_at(0, as_bytes("new text")));
  const auto found = outcomes_of(env, "/a");
  for (const char* expected : {"", "old text", "new text"}) EXPECT_TRUE(found.contains(expected));
  must(file->sync());
  EXPECT_THAT(outcomes_of(env, "/a"), ::testing::ElementsAre("new text"));
}

TEST(SimDurability, ARenameWithoutSyncShowsTheOldFileOrTheNewOne) {
  SimEnv env;
  env.write_file("/a", "old");
  env.write_file("/t", "new");
  const auto root = must(env.open_dir("/"));
  must(root->rename_replace("t", "a"));
  const auto found = outcomes(
      env, [](const SimEnv& after) { return text(after, "/a") + " " + text(after, "/t"); });
  // "new new": half done, both names of one file.
  EXPECT_THAT(found, ::testing::ElementsAre("new (absent)", "new new", "old new"));
  must(root->sync());
  EXPECT_THAT(outcomes_of(env, "/a"), ::testing::ElementsAre("new"));
}

TEST(SimDurability, ARenamedFileThatWasNeverSyncedMayBeAbsentUnderBothNames) {
  SimEnv env;
  const auto root = must(env.open_dir("/"));
  const auto file = create(*root, "t");
  must(file->write_at(0, as_bytes("new")));
  must(file->sync());
  must(root->rename_no_replace("t", "a"));
  const auto found = outcomes(
      env, [](const SimEnv& after) { return text(after, "/a") + " " + text(after, "/t"); });
  EXPECT_THAT(found, ::testing::ElementsAre("(absent) (absent)", "(absent) new", "new (absent)",
                                            "new new"));
}

TEST(SimDurability, AnUnsyncedRemovalMayComeBack) {
  SimEnv env;
  env.write_file("/a", "text");
  const auto root = must(env.open_dir("/"));
  must(root->remove_file("a"));
  EXPECT_THAT(outcomes_of(env, "/a"), ::testing::ElementsAre("(absent)", "text"));
  must(root->sync());
  EXPECT_THAT(outcomes_of(env, "/a"), ::testing::ElementsAre("(absent)"));
}

TEST(SimDurability, NamesMaySurviveOutOfOrder) {
  SimEnv env;
  const auto root = must(env.open_dir("/"));
  create(*root, "a");
  create(*root, "b");
  const auto found = outcomes(env, [](const SimEnv& after) {
    return std::string(after.exists("/a") ? "a" : "-") + (after.exists("/b") ? "b" : "-");
  });
  EXPECT_THAT(found, ::testing::ElementsAre("--", "-b", "a-", "ab"));
}

TEST(SimDurability, ADirectoryWhoseNameWasNotSyncedTakesItsSyncedFilesAlong) {
  SimEnv env;
  const auto root = must(env.open_dir("/"));
  must(root->make_dir("d"));
  const auto d = must(root->open_dir("d"));
  must(create(*d, "a")->sync());
  must(d->sync());
  EXPECT_THAT(outcomes_of(env, "/d/a"), ::testing::ElementsAre("", "(absent)"));
  must(root->sync());
  EXPECT_THAT(outcomes_of(env, "/d/a"), ::testing::ElementsAre(""));
}

TEST(SimDurability, ADirectoryNeverHasTwoNamesAfterPowerLoss) {
  SimEnv env;
  env.write_file("/d/a", "text");
  const auto root = must(env.open_dir("/"));
  must(root->rename_no_replace("d", "e"));
  must(root->rename_no_replace("e", "f"));
  for (const std::string& found : outcomes(env, render)) {
    EXPECT_EQ(std::count(found.begin(), found.end(), '\n'), 1) << found;
  }
}

TEST(SimDurability, APowerLossCanBeToldToKeepOrLoseEverything) {
  SimEnv env;
  env.write_file("/a", "old");
  const auto root = must(env.open_dir("/"));
  must(must(root->open_file("a", OpenMode::ReadWrite))->write_at(0, as_bytes("newer")));
  create(*root, "b");
  const SimDisk disk = env.save();
  env.power_loss({.names = SimKeep::Nothing, .content = SimKeep::Nothing});
  EXPECT_EQ(render(env), "/a=old\n");
  env.load(disk);
  env.power_loss({.names = SimKeep::Everything, .content = SimKeep::Everything});
  EXPECT_EQ(render(env), "/a=newer\n/b=\n");
}

TEST(SimDurability, WhatSurvivedOnePowerLossSurvivesTheNext) {
  SimEnv env;
  const auto root = must(env.open_dir("/"));
  must(create(*root, "a")->write_at(0, as_bytes(std::string(9'000, 'x'))));
  create(*root, "b");
  env.power_loss(3);
  const std::string survived = render(env);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    env.power_loss(seed);
    EXPECT_EQ(render(env), survived);
  }
}

TEST(SimDurability, AKilledProcessLosesNothingItWroteAndNothingBecomesDurable) {  // covers F1.1
  SimEnv env;
  const auto root = must(env.open_dir("/"));
  must(create(*root, "a")->write_at(0, as_bytes("text")));
  env.process_restart();
  EXPECT_EQ(text(env, "/a"), "text");
  EXPECT_TRUE(outcomes_of(env, "/a").contains("(absent)"));
}

TEST(SimDurability, WhatWasThereWhenTheFileSystemWasSyncedSurvives) {  // covers F1.2
  SimEnv env;
  const auto root = must(env.open_dir("/"));
  must(root->make_dir("sub"));
  const auto sub = must(root->open_dir("sub"));
  must(create(*sub, "a")->write_at(0, as_bytes("text")));
  must(sub->set_metadata("a", {.mode = 0640, .uid = {}, .gid = {}, .mtime_ns = {}}));
  must(root->make_symlink("link", "sub"));
  must(root->sync_file_system());
  EXPECT_THAT(outcomes_of(env, "/sub/a"), ::testing::ElementsAre("text"));
  EXPECT_EQ(outcomes(env, [](const SimEnv& after) { return render(after); }).size(), 1U);
  must(create(*sub, "b")->write_at(0, as_bytes("later")));
  EXPECT_TRUE(outcomes_of(env, "/sub/b").contains("(absent)"));
}

TEST(SimDurability, HandlesOfADeadProcessOnlyFail) {
  SimEnv env;
  const auto root = must(env.open_dir("/"));
  const auto file = create(*root, "a");
  const std::uint32_t process = env.process_id();
  env.process_restart();
  EXPECT_NE(env.process_id(), process);
  EXPECT_FALSE(file->write_at(0, as_bytes("x")));
  EXPECT_FALSE(root->list());
  EXPECT_FALSE(root->sync());
  const auto again = must(env.open_dir("/"));
  EXPECT_FALSE(again->make_hard_link(*root, "a", "b"));
  EXPECT_EQ(text(env, "/a"), "");
}

TEST(SimDurability, LyingStorageLosesWhatItCalledSynced) {  // covers F2.4
  SimEnv env;
  env.set_sync_lies(true);
  const auto root = must(env.open_dir("/"));
  const auto file = create(*root, "a");
  must(file->write_at(0, as_bytes("text")));
  must(file->sync());
  must(root->sync());
  EXPECT_TRUE(outcomes_of(env, "/a").contains("(absent)"));
}

/// A simple model beside the simulator: per file what was synced, which byte ranges are not.
struct Tracked {
  std::string synced;
  std::string current;
  bool name_synced = false;
};

TEST(SimDurability, RandomRunsNeverLoseWhatWasSynced) {
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    SimEnv env({.seed = seed});
    const auto root = must(env.open_dir("/"));
    std::map<std::string, Tracked> files;
    std::map<std::string, std::unique_ptr<File>> open;
    for (int step = 0; step < 60; ++step) {
      const std::string name(1, static_cast<char>('a' + random() % 6));
      Tracked& file = files[name];
      if (!open.contains(name)) open[name] = create(*root, name);
      const auto action = random() % 8;
      if (action == 0) {
        must(open[name]->sync());
        file.synced = file.current;
      } else if (action == 1) {
        must(root->sync());
        for (auto& [other, tracked] : files) tracked.name_synced = true;
      } else {
        const std::string data(random() % 9'000, static_cast<char>('A' + random() % 26));
        must(open[name]->write_at(file.current.size(), as_bytes(data)));
        file.current += data;
      }
    }
    env.power_loss(seed);
    for (const auto& [name, file] : files) {
      const std::string found = text(env, "/" + name);
      if (found == "(absent)") {
        EXPECT_FALSE(file.name_synced);
        continue;
      }
      EXPECT_TRUE(found.starts_with(file.synced));
      EXPECT_LE(found.size(), file.current.size());
    }
  }
}

}  // namespace

}  // namespace pagevault
