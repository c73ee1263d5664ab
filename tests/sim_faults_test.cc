// The simulator's programmable faults: each strikes where it was told, and nowhere else.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pagevault/base/sim_env.h"
#include "sim_vocabulary.h"

namespace pagevault {

namespace {

using sim_test::create;
using sim_test::must;
using sim_test::render;
using sim_test::text;

/// The order of durability in small: content, sync, name, sync.
Status publish(SimEnv& env) {
  PV_TRY_ASSIGN(const auto root, env.open_dir("/"));
  PV_TRY_ASSIGN(const auto file, root->open_file("t", OpenMode::CreateExclusive));
  PV_TRY(file->write_at(0, as_bytes("text")));
  PV_TRY(file->sync());
  PV_TRY(file->close());
  PV_TRY(root->rename_no_replace("t", "a"));
  return root->sync();
}

constexpr std::uint64_t kPublishCalls = 7;

TEST(SimFaults, CallsAreCounted) {
  SimEnv env;
  must(publish(env));
  EXPECT_EQ(env.calls(), kPublishCalls);
  env.write_file("/b", "helpers are no calls");
  EXPECT_EQ(env.calls(), kPublishCalls);
}

TEST(SimFaults, EveryKthCallFailsOnceUntilTheRunIsShorter) {  // covers F2.1
  SimEnv env;
  const SimDisk disk = env.save();
  for (const ErrorCode code : {ErrorCode::Io, ErrorCode::NoSpace}) {
    for (std::uint64_t k = 0; k <= kPublishCalls; ++k) {
      env.load(disk);
      const std::uint64_t fired = env.faults_fired();
      env.fail_call(k, code);
      const Status status = publish(env);
      EXPECT_EQ(env.faults_fired() - fired, k < kPublishCalls ? 1U : 0U) << "k=" << k;
      ASSERT_EQ(status.has_value(), k == kPublishCalls) << "k=" << k;
      if (!status) {
        EXPECT_EQ(status.error().code(), code) << "k=" << k;
      }
    }
  }
}

TEST(SimFaults, OnlyTheChosenKindsAreCounted) {
  SimEnv env;
  env.fail_call({.call = 1, .kinds = {.read = false, .write = false, .name = false}});
  const auto root = must(env.open_dir("/"));
  const auto file = create(*root, "a");
  must(file->write_at(0, as_bytes("x")));
  must(file->sync());
  must(root->list());
  EXPECT_FALSE(root->sync());
  must(root->sync());
}

TEST(SimFaults, APermanentFaultLastsUntilItIsCleared) {
  SimEnv env;
  env.fail_call({.call = 1, .code = ErrorCode::NoSpace, .permanent = true});
  const auto root = must(env.open_dir("/"));
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(root->make_dir("d"));
  env.clear_faults();
  must(root->make_dir("d"));
}

// covers F3.2
TEST(SimFaults, ACallMayBeDoneAndYetAnswerWithAnError) {
  SimEnv env;
  const SimDisk disk = env.save();
  std::vector<std::string> left;
  for (std::uint64_t k = 0; k < kPublishCalls; ++k) {
    env.load(disk);
    env.fail_call({.call = k, .effect = SimEffect::Done});
    EXPECT_FALSE(publish(env)) << "k=" << k;
    left.push_back(render(env));
  }
  EXPECT_THAT(left, ::testing::ElementsAre("", "/t=\n", "/t=text\n", "/t=text\n", "/t=text\n",
                                           "/a=text\n", "/a=text\n"));
}

// covers F2.2
TEST(SimFaults, AnUnreadableRangeFailsOnlyReadsThatTouchIt) {
  SimEnv env;
  env.write_file("/a", std::string(10'000, 'x'));
  env.set_unreadable("/a", {4'096, 512});
  const auto root = must(env.open_dir("/"));
  const auto file = must(root->open_file("a", OpenMode::Read));
  Bytes out(4'096);
  EXPECT_TRUE(file->read_at(0, out));
  EXPECT_FALSE(file->read_at(1, out));
  EXPECT_FALSE(file->read_at(4'607, out));
  EXPECT_TRUE(file->read_at(4'608, out));
  env.set_unreadable("/a", {});
  EXPECT_TRUE(file->read_at(1, out));
}

TEST(SimFaults, ALockOfSomebodyElseShowsInItsRangeOnly) {
  SimEnv env;
  env.write_file("/a", "text");
  env.set_locked("/a", {1'000'000, 10});
  const auto root = must(env.open_dir("/"));
  const auto file = must(root->open_file("a", OpenMode::Read));
  EXPECT_FALSE(must(file->is_locked({999'990, 10})));
  EXPECT_TRUE(must(file->is_locked({1'000'009, 1})));
  EXPECT_FALSE(must(file->is_locked({1'000'010, 10})));
  env.set_locked("/a", {});
  EXPECT_FALSE(must(file->is_locked({0, UINT64_C(1) << 62})));
}

// covers F4.6
TEST(SimFaults, AListingCanBeChanged) {
  SimEnv env;
  env.write_file("/a", "");
  env.on_list([](const std::string& path, std::vector<DirEntry>& entries) {
    EXPECT_EQ(path, "/");
    entries.clear();
  });
  EXPECT_TRUE(must(must(env.open_dir("/"))->list()).empty());
}

TEST(SimFaults, ACrashStopsEverythingAndChangesNothing) {  // covers F1.1
  SimEnv env;
  const SimDisk disk = env.save();
  std::set<std::string> seen;
  for (std::uint64_t k = 0; k < kPublishCalls; ++k) {
    env.load(disk);
    env.crash_at_call(k);
    const Status status = publish(env);
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message(), ::testing::HasSubstr("simulated crash"));
    EXPECT_TRUE(env.crashed());
    EXPECT_FALSE(env.open_dir("/"));
    env.process_restart();
    EXPECT_TRUE(env.open_dir("/"));
    seen.insert(render(env));
  }
  EXPECT_THAT(seen, ::testing::ElementsAre("", "/a=text\n", "/t=\n", "/t=text\n"));
}

// The pattern that all publishing code follows, and what this simulator exists to prove.
TEST(SimFaults, SyncedPublishingIsOldOrNewAtEveryCrashAndPowerLoss) {  // covers F1.2
  SimEnv env;
  const SimDisk disk = env.save();
  for (std::uint64_t k = 0; k <= kPublishCalls; ++k) {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      env.load(disk);
      env.crash_at_call(k);
      const bool acknowledged = publish(env).has_value();
      env.power_loss(seed);
      const std::string found = text(env, "/a");
      EXPECT_TRUE(found == "text" || (found == "(absent)" && !acknowledged)) << k << " " << seed;
    }
  }
}

TEST(SimFaults, AFailedWritePoisonsTheFileAndMayHaveWrittenAPart) {  // covers F2.3
  std::set<std::size_t> sizes;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SimEnv env({.seed = seed});
    const auto root = must(env.open_dir("/"));
    const auto file = create(*root, "a");
    env.fail_call(0, ErrorCode::Io);
    const Status failed = file->write_at(0, as_bytes("text"));
    ASSERT_FALSE(failed);
    const Status later = file->sync();
    ASSERT_FALSE(later);
    EXPECT_EQ(later.error().message(), failed.error().message());
    EXPECT_TRUE(std::string("text").starts_with(text(env, "/a")));
    sizes.insert(text(env, "/a").size());
  }
  EXPECT_EQ(sizes.size(), 5U);
}

TEST(SimFaults, ASecondSyncNeverBringsBackWhatAFailedOneDropped) {  // covers F2.3
  SimEnv env;
  const auto root = must(env.open_dir("/"));
  {
    const auto file = create(*root, "a");
    must(root->sync());
    must(file->write_at(0, as_bytes("text")));
    env.fail_call(0, ErrorCode::Io);
    EXPECT_FALSE(file->sync());
    EXPECT_FALSE(file->close());
  }
  must(must(root->open_file("a", OpenMode::ReadWrite))->sync());
  EXPECT_EQ(text(env, "/a"), "text") << "the page cache still shows it";
  env.power_loss({.names = SimKeep::Nothing, .content = SimKeep::Nothing});
  EXPECT_EQ(text(env, "/a"), std::string(4, '\0'));
}

TEST(SimFaults, RewritingWhatAFailedSyncDroppedMakesItDurable) {
  SimEnv env;
  const auto root = must(env.open_dir("/"));
  {
    const auto file = create(*root, "a");
    must(root->sync());
    must(file->write_at(0, as_bytes("text")));
    env.fail_call(0, ErrorCode::Io);
    EXPECT_FALSE(file->sync());
  }
  const auto file = must(root->open_file("a", OpenMode::ReadWrite));
  must(file->write_at(0, as_bytes("text")));
  must(file->sync());
  env.power_loss({.names = SimKeep::Nothing, .content = SimKeep::Nothing});
  EXPECT_EQ(text(env, "/a"), "text");
}

TEST(SimFaults, AFullDiskRefusesWritesAndPreallocationButNotReads) {  // covers F2.1
  SimEnv env;
  env.set_capacity(16 * kKiB);
  const auto root = must(env.open_dir("/"));
  const auto file = create(*root, "a");
  must(file->write_at(0, Bytes(8 * kKiB)));
  EXPECT_EQ(must(root->free_space()), 8 * kKiB);
  {
    const auto other = create(*root, "b");
    const Status status = other->preallocate({0, 12 * kKiB});
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code(), ErrorCode::NoSpace);
  }
  const auto more = create(*root, "c");
  const Status status = more->write_at(0, Bytes(12 * kKiB));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code(), ErrorCode::NoSpace);
  EXPECT_EQ(env.file_size("/c"), 8 * kKiB) << "what fits was written";
  Bytes out(8 * kKiB);
  EXPECT_EQ(must(file->read_at(0, out)), 8 * kKiB);
  must(file->write_at(0, Bytes(8 * kKiB, std::byte{1})));
  must(root->remove_file("c"));
  EXPECT_EQ(must(root->free_space()), 0U) << "still open";
}

TEST(SimFaults, SpaceOfARemovedFileIsFreeOnceItIsClosed) {
  SimEnv env;
  env.set_capacity(16 * kKiB);
  const auto root = must(env.open_dir("/"));
  auto file = create(*root, "a");
  must(file->preallocate({0, 16 * kKiB}));
  must(file->write_at(0, Bytes(16 * kKiB)));
  must(root->remove_file("a"));
  EXPECT_EQ(must(root->free_space()), 0U);
  file.reset();
  EXPECT_EQ(must(root->free_space()), 16 * kKiB);
}

TEST(SimFaults, AReadOnlyDiskRefusesEveryChange) {  // covers F2.5
  SimEnv env;
  env.write_file("/a", "text");
  const auto root = must(env.open_dir("/"));
  const auto file = must(root->open_file("a", OpenMode::ReadWrite));
  env.set_read_only(true);
  const std::string before = render(env);
  const Status write = file->write_at(0, as_bytes("x"));
  ASSERT_FALSE(write);
  EXPECT_EQ(write.error().code(), ErrorCode::Io);
  EXPECT_THAT(write.error().message(), ::testing::HasSubstr("read-only file system"));
  EXPECT_FALSE(root->open_file("b", OpenMode::CreateExclusive));
  EXPECT_FALSE(root->open_file("a", OpenMode::ReadWrite));
  EXPECT_FALSE(root->make_dir("d"));
  EXPECT_FALSE(root->make_hard_link(*root, "a", "b"));
  EXPECT_FALSE(root->remove_file("a"));
  EXPECT_FALSE(root->rename_replace("a", "b"));
  EXPECT_FALSE(root->set_metadata("a", {.mode = 0}));
  EXPECT_TRUE(root->open_file("a", OpenMode::Read));
  EXPECT_EQ(render(env), before);
}

TEST(SimFaults, DeniedPathsCannotBeOpenedOrListed) {
  SimEnv env;
  env.write_file("/d/a", "text");
  env.write_file("/b", "text");
  const auto root = must(env.open_dir("/"));
  const auto d = must(root->open_dir("d"));
  env.set_denied("/d", true);
  env.set_denied("/b", true);
  EXPECT_FALSE(d->list());
  EXPECT_FALSE(root->open_dir("d"));
  EXPECT_FALSE(env.open_dir("/d"));
  const auto refused = root->open_file("b", OpenMode::Read);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::Io);
  EXPECT_THAT(refused.error().message(), ::testing::HasSubstr("/b"));
  EXPECT_THAT(refused.error().message(), ::testing::HasSubstr("permission denied"));
  EXPECT_TRUE(root->stat("b"));
  env.set_denied("/b", false);
  EXPECT_TRUE(root->open_file("b", OpenMode::Read));
}

TEST(SimFaults, AHookChangesASourceWhileItIsRead) {  // covers F8.1
  SimEnv env;
  env.write_file("/a", "text");
  const auto root = must(env.open_dir("/"));
  const auto file = must(root->open_file("a", OpenMode::Read));
  env.on_call([&](const SimCall& call) {
    if (call.operation != "read") return;
    EXPECT_EQ(call.path, "/a");
    env.append_file("/a", as_bytes(" grows"));
    env.on_call({});
  });
  Bytes out(100);
  EXPECT_EQ(must(file->read_at(0, out)), 10U);
  env.on_call([&](const SimCall&) {
    env.truncate("/a", 2);
    env.remove("/a");
    env.on_call({});
  });
  EXPECT_EQ(must(file->read_at(0, out)), 2U) << "an open file outlives its name";
  EXPECT_FALSE(root->stat("a"));
}

TEST(SimFaults, DamageIsDurableAndExact) {
  SimEnv env;
  env.write_file("/d/a", "aaaa");
  env.write_file("/d/b", "bbbb");
  env.flip_bit("/d/a", 8);
  EXPECT_EQ(text(env, "/d/a"), "a`aa");
  env.truncate("/d/b", 3);
  env.swap_files("/d/a", "/d/b");
  env.power_loss(1);
  EXPECT_EQ(render(env), "/d/a=bbb\n/d/b=a`aa\n");
  env.remove("/d");
  EXPECT_EQ(render(env), "");
}

TEST(SimFaults, AQueueDeliversFaultsInItsCompletions) {
  SimEnv env;
  const auto root = must(env.open_dir("/"));
  const auto file = create(*root, "a");
  const auto queue = env.make_io_queue(4);
  env.crash_at_call(2);
  for (std::uint64_t i = 0; i < 4; ++i) queue->write(*file, i, as_bytes("x"), i);
  int failed = 0;
  while (queue->in_flight() > 0) {
    for (const auto& done : queue->wait()) failed += done.bytes ? 0 : 1;
  }
  EXPECT_EQ(failed, 2);
}

}  // namespace

}  // namespace pagevault
