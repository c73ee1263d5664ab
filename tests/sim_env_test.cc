// The simulator is an Env, and is as fast and as repeatable as the fault tests need it.

#include "pagevault/base/sim_env.h"

#include <chrono>

#include "env_conformance.h"
#include "sim_vocabulary.h"

namespace pagevault {

namespace {

EnvUnderTest make_sim() {
  auto env = std::make_unique<SimEnv>();
  env->make_dirs("/scratch");
  return {.env = std::move(env), .scratch = "/scratch", .keeper = nullptr};
}

INSTANTIATE_TEST_SUITE_P(Sim, EnvConformance, ::testing::Values(EnvCase{"Sim", make_sim}),
                         env_case_name);

using sim_test::create;
using sim_test::must;
using sim_test::render;

/// A little of everything a seed decides.
std::string run(SimEnv& env) {
  const auto root = must(env.open_dir("/"));
  const auto file = create(*root, "a");
  Bytes noise(10'000);
  env.random(noise);
  const auto queue = env.make_io_queue(8);
  std::string order;
  for (std::uint64_t i = 0; i < 8; ++i) {
    queue->write(*file, i * 1000, ByteView(noise).subspan(i * 1000, 1000), i);
  }
  while (queue->in_flight() > 0) {
    for (const auto& done : queue->wait()) order += std::to_string(done.tag);
  }
  must(file->sync());
  must(file->write_at(3'000, ByteView(noise).subspan(0, 5'000)));
  create(*root, "b");
  create(*root, "c");
  std::string names;
  for (const auto& entry : must(root->list())) names += entry.name;
  return order + " " + names + " " + std::to_string(env.now_ns());
}

TEST(SimEnv, TheSameSeedGivesTheSameRun) {
  SimEnv first({.seed = 7});
  SimEnv second({.seed = 7});
  SimEnv other({.seed = 8});
  const std::string told = run(first);
  EXPECT_EQ(told, run(second));
  EXPECT_NE(told, run(other));
  EXPECT_EQ(render(first), render(second));
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const SimDisk before = first.save();
    first.power_loss(seed);
    const std::string after = render(first);
    second.power_loss(seed);
    EXPECT_EQ(after, render(second)) << "seed=" << seed;
    first.load(before);
    second.load(before);
  }
}

TEST(SimEnv, ALoadedDiskRepeatsTheRunThatFollowedItsSave) {
  SimEnv env;
  env.write_file("/old", "text");
  const SimDisk disk = env.save();
  const std::string told = run(env);
  const std::string rendered = render(env);
  env.remove("/old");
  env.load(disk);
  EXPECT_EQ(run(env), told);
  EXPECT_EQ(render(env), rendered);
}

TEST(SimEnv, ChangesAfterASaveNeverReachTheSavedDisk) {
  SimEnv env;
  env.write_file("/d/a", Bytes(300'000, std::byte{7}));
  const SimDisk disk = env.save();
  const std::string before = render(env);
  env.flip_bit("/d/a", 8 * 299'999);
  env.truncate("/d/a", 1000);
  env.write_file("/d/b", "new");
  env.load(disk);
  EXPECT_EQ(render(env), before);
  EXPECT_EQ(env.read_file("/d/a"), Bytes(300'000, std::byte{7}));
}

TEST(SimEnv, ADiskIsLoadedIntoAnotherEnv) {
  SimEnv env({.seed = 1});
  env.write_file("/a", "text");
  SimEnv other({.seed = 2});
  other.load(env.save());
  EXPECT_EQ(render(other), render(env));
}

TEST(SimEnv, AQueueCompletesInManyOrders) {
  std::set<std::string> orders;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SimEnv env({.seed = seed});
    orders.insert(run(env).substr(0, 8));
  }
  EXPECT_GT(orders.size(), 15U);
}

TEST(SimEnv, QueuedOperationsHaveNoEffectBeforeTheyComplete) {
  SimEnv env;
  env.write_file("/a", "hello");
  const auto root = must(env.open_dir("/"));
  const auto file = must(root->open_file("a", OpenMode::ReadWrite));
  const auto queue = env.make_io_queue(2);
  Bytes out(5, std::byte{'-'});
  queue->read(*file, 0, out, 1);
  EXPECT_EQ(as_text(out), "-----");
  while (queue->in_flight() > 0) queue->wait();
  EXPECT_EQ(as_text(out), "hello");
  queue->write(*file, 0, as_bytes("HELLO"), 2);
  EXPECT_EQ(as_text(*env.read_file("/a")), "hello");
  queue->wait();
  EXPECT_EQ(as_text(*env.read_file("/a")), "HELLO");
}

TEST(SimEnv, SparseFilesCostOnlyTheirData) {
  SimEnv env;
  const auto root = must(env.open_dir("/"));
  const auto file = create(*root, "a");
  must(file->write_at(1'000 * kGiB + 100, as_bytes("x")));
  must(file->write_at(0, as_bytes("y")));
  const FileInfo info = must(file->info());
  EXPECT_EQ(info.size, 1'000 * kGiB + 101);
  EXPECT_EQ(info.allocated, 8192U);
  const std::vector<ByteRange> ranges = {{0, 4096}, {1'000 * kGiB, 101}};
  EXPECT_EQ(must(file->data_ranges()), ranges);
}

TEST(SimEnv, RemovedFilesFreeTheirInodes) {
  SimEnv env;
  const auto root = must(env.open_dir("/"));
  const std::uint64_t free_before = must(root->free_space());
  for (int i = 0; i < 2'000; ++i) {
    must(create(*root, "a")->write_at(0, as_bytes("x")));
    must(root->remove_file("a"));
    must(root->sync());
  }
  EXPECT_EQ(must(root->free_space()), free_before);
}

TEST(SimEnv, TheStorageClockIsNotTheClientsClock) {  // covers F3.8
  SimEnv env;
  env.set_storage_clock_offset(-3'600'000'000'000);
  const auto root = must(env.open_dir("/"));
  create(*root, "a");
  EXPECT_LT(must(root->stat("a")).mtime_ns, env.now_ns() - 3'599'000'000'000);
  const std::int64_t monotonic = env.monotonic_ns();
  const std::int64_t wall = env.now_ns();
  env.shift_clock(-1'000'000'000);
  EXPECT_LT(env.now_ns(), wall);
  EXPECT_GT(env.monotonic_ns(), monotonic);
}

// A bound far above what is measured, only to notice a change of complexity.
TEST(SimEnv, AWaitTakesNoTimeAndTheRestOfTheWorldGoesOnMeanwhile) {
  SimEnv env;
  CancelToken cancel;
  const std::int64_t begun = env.monotonic_ns();
  const std::int64_t hour = 3'600'000'000'000;
  env.on_wait([&](std::int64_t deadline) {
    EXPECT_EQ(deadline, begun + hour);
    env.write_file("/a", "new");
  });
  must(env.wait_until(begun + hour, cancel));
  EXPECT_GE(env.now_ns(), SimOptions{}.start_ns + hour);
  EXPECT_EQ(sim_test::text(env, "/a"), "new");
  env.on_wait([&](std::int64_t) { cancel.cancel(); });
  EXPECT_FALSE(env.wait_until(env.monotonic_ns() + hour, cancel));
  EXPECT_LT(env.monotonic_ns(), begun + 2 * hour);
}

TEST(SimEnv, DamageVariantsAreCheapToMake) {
  SimEnv env;
  for (int i = 0; i < 100; ++i) env.write_file("/r/" + std::to_string(i), Bytes(16 * kKiB));
  env.write_file("/r/pack", Bytes(256 * kKiB));
  const SimDisk disk = env.save();
  constexpr int kVariants = 20'000;
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < kVariants; ++i) {
    env.load(disk);
    env.flip_bit("/r/pack", i * 97 % (256 * kKiB * 8));
  }
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  RecordProperty("ns_per_variant", std::to_string(taken.count() / kVariants * 1e9));
  EXPECT_LT(taken.count(), 10.0);
}

}  // namespace

}  // namespace pagevault
