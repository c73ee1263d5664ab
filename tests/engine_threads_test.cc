// The engine on a real file system with real workers: what ThreadSanitizer is to watch.

#include <array>
#include <thread>

#include "engine_fixture.h"
#include "pagevault/base/linux_env.h"
#include "scratch_dir.h"

namespace pagevault::testing {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::uint32_t kPackBytes = 16 * kMiB;  // The least: several packs are under way.

/// Database-like and cheap to make under a sanitizer: a quarter of every page is random.
Bytes pages(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Bytes out(count * kPage, std::byte{'.'});
  for (std::size_t page = 0; page < count; ++page) {
    for (std::size_t at = 0; at < kPage / 4; at += 8) {
      store_le64(MutableBytes(out).subspan(page * kPage + at).first<8>(), random());
    }
  }
  return out;
}

/// A temporary directory of a real machine, with a source and a repository in it.
class EngineThreads : public ::testing::TestWithParam<LinuxEnvOptions::Io> {
 protected:
  EngineThreads() : env_(make_linux_env({.io = GetParam()})), vault_(*env_, at("repo")) {}

  std::string at(const std::string& name) const { return scratch_.path() + "/" + name; }

  void write(const std::string& folder, const std::string& name, ByteView content) {
    std::filesystem::create_directories(at(folder));
    auto dir = std::move(env_->open_dir(at(folder)).value());
    auto file = dir->open_file(name, OpenMode::ReadWrite);
    if (!file) file = dir->open_file(name, OpenMode::CreateExclusive);
    ASSERT_TRUE(file) << file.error().message();
    ASSERT_TRUE((*file)->write_at(0, content));
    ASSERT_TRUE((*file)->close());
  }

  /// `files` files of `mib` MiB each; equal seeds make equal files.
  void make_source(const std::string& folder, std::size_t files, std::size_t mib,
                   std::uint64_t seed) {
    for (std::size_t i = 0; i < files; ++i) {
      write(folder, fmt::format("table{}", i), pages(mib * kMiB / kPage, seed + i));
    }
  }

  /// As another process would: a repository, an index and a cache folder of its own.
  Result<engine::BackupReport> backup(const std::string& folder, Recorder& recorder) {
    PV_TRY_ASSIGN(auto repository, repo::Repository::open(*env_, at("repo"), test_key()));
    PV_TRY_ASSIGN(auto workspace, engine::Workspace::open(std::move(repository), at("cache")));
    return engine::run_backup(*workspace, vault_.request({at(folder)}), recorder);
  }

  void expect_restores(const SnapshotId& id, const std::string& folder, const std::string& out) {
    const auto restored = vault_.restore(id, at(folder), at(out));
    ASSERT_TRUE(restored) << restored.error().message();
    EXPECT_EQ(restored->damaged + restored->failed, 0U);
    EXPECT_EQ(tree_text(*env_, at(out)), tree_text(*env_, at(folder)));
  }

  void expect_sound() {
    Recorder recorder;
    const auto checked = vault_.check(recorder);
    ASSERT_TRUE(checked) << checked.error().message();
    EXPECT_EQ(recorder.damage(), 0U) << recorder.text();
    EXPECT_GT(checked->bytes_read, 0U);
  }

  ScratchDir scratch_;
  std::unique_ptr<Env> env_;
  Vault vault_;
};

INSTANTIATE_TEST_SUITE_P(Io, EngineThreads,
                         ::testing::Values(LinuxEnvOptions::Io::Auto,
                                           LinuxEnvOptions::Io::ThreadPool),
                         [](const auto& io) {
                           return io.param == LinuxEnvOptions::Io::Auto ? "Auto" : "ThreadPool";
                         });

TEST_P(EngineThreads, BacksUpChecksAndRestoresManyMegabytes) {
  make_source("src", 4, 12, 1);
  ASSERT_TRUE(vault_.init(kPackBytes));
  Recorder recorder;
  const auto first = backup("src", recorder);
  ASSERT_TRUE(first) << first.error().message();
  expect_restores(*first->snapshot, "src", "out1");
  // A second one meets parents, gates and deltas.
  write("src", "table1", pages(300, 99));
  const auto second = backup("src", recorder);
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_LT(second->stats.bytes_new, 2 * kMiB);
  expect_restores(*second->snapshot, "src", "out2");
  EXPECT_EQ(recorder.text(), "");
  expect_sound();
}

TEST_P(EngineThreads, BackupsFromTwoThreadsAtOnceShareARepository) {  // covers I6
  make_source("one", 2, 8, 1);  // table1 of one is table0 of two.
  make_source("two", 2, 8, 2);
  ASSERT_TRUE(vault_.init(kPackBytes));
  const std::array<std::string, 2> folders = {"one", "two"};
  std::array<Recorder, 2> recorders;
  std::array<std::optional<SnapshotId>, 2> taken;
  std::array<std::thread, 2> threads;
  for (std::size_t i = 0; i < threads.size(); ++i) {
    threads[i] = std::thread([&, i] {
      const auto report = backup(folders[i], recorders[i]);
      ASSERT_TRUE(report) << report.error().message();
      taken[i] = report->snapshot;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < threads.size(); ++i) {
    EXPECT_EQ(recorders[i].text(), "");
    ASSERT_TRUE(taken[i]);
    expect_restores(*taken[i], folders[i], "out-" + folders[i]);
  }
  expect_sound();
}

TEST_P(EngineThreads, RestoresAndChecksWhileABackupWrites) {  // covers I10
  make_source("old", 2, 8, 1);
  make_source("new", 2, 12, 50);
  ASSERT_TRUE(vault_.init(kPackBytes));
  Recorder recorder;
  const auto old = backup("old", recorder);
  ASSERT_TRUE(old) << old.error().message();
  Recorder writer;
  std::optional<SnapshotId> taken;
  std::thread thread([&] {
    const auto report = backup("new", writer);
    ASSERT_TRUE(report) << report.error().message();
    taken = report->snapshot;
  });
  expect_restores(*old->snapshot, "old", "out-old");
  expect_sound();
  thread.join();
  EXPECT_EQ(writer.text(), "");
  ASSERT_TRUE(taken);
  expect_restores(*taken, "new", "out-new");
}

}  // namespace
}  // namespace pagevault::testing
