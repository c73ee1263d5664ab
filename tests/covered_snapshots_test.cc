// When a parent's references need no proof, and when they do: backups with an index cache on disk.

#include <filesystem>
#include <fstream>

#include "engine_fixture.h"
#include "pagevault/base/linux_env.h"
#include "scratch_dir.h"

namespace pagevault::testing {
namespace {

class CoveredSnapshots : public ::testing::Test {
 protected:
  CoveredSnapshots() : env_(make_linux_env()), vault_(*env_, at("repo"), at("cache")) {
    std::filesystem::create_directories(at("src"));
    write("src/a", text_bytes(700'000, 1));
    write("src/b", fake_database(100, 4096, 2));
    EXPECT_TRUE(vault_.init());
  }

  std::string at(const std::string& name) const { return scratch_.path() + "/" + name; }

  void write(const std::string& name, ByteView content) {
    std::ofstream out(at(name), std::ios::binary | std::ios::trunc);
    out << as_text(content);
    // Times of long ago: the file is not "racy", so that metadata may prove it unchanged.
    out.close();
    auto dir = std::move(env_->open_dir(at("src")).value());
    ASSERT_TRUE(dir->set_metadata(name.substr(4),
                                  {.mode = {}, .uid = {}, .gid = {}, .mtime_ns = 1'000'000'000}));
  }

  SnapshotId backup() {
    Recorder recorder;
    auto report = vault_.backup(vault_.request({at("src")}), recorder);
    EXPECT_TRUE(report) << report.error().message();
    return *report->snapshot;
  }

  bool covers(const SnapshotId& id) {
    auto workspace = vault_.open();
    EXPECT_TRUE(workspace);
    return (*workspace)->covered().contains(id);
  }

  void expect_restores(const SnapshotId& id) {
    const std::string out = at("out" + id.hex(8));
    const auto restored = vault_.restore(id, at("src"), out);
    ASSERT_TRUE(restored) << restored.error().message();
    EXPECT_EQ(restored->damaged + restored->failed, 0U);
    EXPECT_EQ(tree_text(*env_, out), tree_text(*env_, at("src")));
  }

  void remove_all_in(const std::string& folder) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(at(folder))) {
      if (entry.is_regular_file()) std::filesystem::remove(entry.path());
    }
  }

  ScratchDir scratch_;
  std::unique_ptr<Env> env_;
  Vault vault_;
};

TEST_F(CoveredSnapshots, AreThoseThisCacheHasCommitted) {
  const SnapshotId first = backup();
  const SnapshotId second = backup();
  EXPECT_TRUE(covers(first));
  EXPECT_TRUE(covers(second));
  std::filesystem::remove_all(at("cache"));
  EXPECT_FALSE(covers(second));
  const SnapshotId third = backup();
  EXPECT_TRUE(covers(third));
  EXPECT_FALSE(covers(second));
}

TEST_F(CoveredSnapshots, AreForgottenWhenAnIndexObjectVanishes) {  // covers I6, F5.4, F5.8
  const SnapshotId first = backup();
  remove_all_in("repo/index");
  EXPECT_FALSE(covers(first));  // Whichever command notices first.
  const SnapshotId second = backup();
  expect_restores(second);
}

TEST_F(CoveredSnapshots, StoreAgainWhatVanishedWithIndexAndPacks) {  // covers I6, F5.4
  backup();
  remove_all_in("repo/index");
  remove_all_in("repo/packs");
  expect_restores(backup());
}

TEST_F(CoveredSnapshots, StoreAgainWhatVanishedWithPacksAlone) {  // covers I6, F5.4, F2.4
  backup();
  remove_all_in("repo/packs");
  expect_restores(backup());
}

TEST_F(CoveredSnapshots, AreNoneWhenTheIndexDatabaseWasLost) {  // covers F5.9
  const SnapshotId first = backup();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(at("cache"))) {
    if (entry.path().filename() == "CURRENT") std::ofstream(entry.path()) << "garbage";
  }
  EXPECT_FALSE(covers(first));
  expect_restores(backup());
}

}  // namespace
}  // namespace pagevault::testing
