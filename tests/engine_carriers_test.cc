// The same source gives the same content whatever carries the I/O: io_uring, a thread pool, or the
// simulator (F9.1).

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "engine_fixture.h"
#include "pagevault/base/linux_env.h"
#include "pagevault/repo/directory_entry.h"

namespace pagevault::testing {
namespace {

namespace fs = std::filesystem;

/// Creates or replaces a file of this machine, folders included.
void write_real_file(const fs::path& at, ByteView bytes) {
  fs::create_directories(at.parent_path());
  std::ofstream file(at, std::ios::binary | std::ios::trunc);
  const std::string_view text = as_text(bytes);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  ASSERT_TRUE(file.good());
}

class Carriers : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / fmt::format("pagevault-carriers-{}", ::getpid());
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  std::string path(const std::string& name) const { return (root_ / name).string(); }

  /// Copies the empty repository, keys included, into the world of `env`.
  void copy_repository(const SimEnv& origin, const std::string& to) {
    for (const char* folder : {"keys", "index", "snapshots", "sessions", "gc"}) {
      fs::create_directories(fs::path(to) / folder);
    }
    for (unsigned byte = 0; byte < 256; ++byte) {
      fs::create_directories(fs::path(to) / "packs" / fmt::format("{:02x}", byte));
    }
    for (const std::string& file : origin.list_files("/repo")) {
      write_real_file(to + file.substr(5), *origin.read_file(file));
    }
  }

  fs::path root_;
};

/// Maps and sizes of all files of a snapshot: the ids in them say everything about the content.
std::string maps_of(Vault& vault, const SnapshotId& id) {
  auto workspace = std::move(vault.open().value());
  const auto snapshot = std::move(workspace->repository().read_snapshot(id).value());
  std::string out;
  const auto visit = [&](const std::string& path, const repo::Entry& entry) -> Result<bool> {
    if (entry.info.type != FileType::Regular) return true;
    Encoder map;
    repo::encode_map_root(map, entry.map);
    out += fmt::format("{} {} {} {}\n", fs::path(path).filename().string(), entry.info.size,
                       entry.page_size, to_hex(map.view()));
    return true;
  };
  EXPECT_TRUE(engine::walk_tree(*workspace, engine::root_entry(snapshot), "", visit));
  return out;
}

/// Two states of the source, backed up one after the other; the maps of both as text.
std::string back_up_twice(Env& env, SimEnv* sim, const std::string& repository,
                          const std::string& source) {
  Vault vault(env, repository);
  std::string out;
  Bytes database = fake_database(3000, 4096, 1);
  std::fill_n(database.begin() + 500 * 4096, 300 * 4096, std::byte{0});
  const std::map<std::string, Bytes> files = {{"log", text_bytes(2'000'000, 2)},
                                              {"noise", random_bytes(700'000, 3)},
                                              {"one", Bytes(1, std::byte{1})},
                                              {"empty", {}}};
  const auto put = [&](const std::string& at, const Bytes& bytes) {
    sim != nullptr ? sim->write_file(at, bytes) : write_real_file(at, bytes);
  };
  for (const auto& [name, bytes] : files) put(source + "/" + name, bytes);
  for (int round = 0; round < 2; ++round) {
    put(source + "/a.db", database);
    auto request = vault.request({source});
    request.force = round == 1;
    Recorder recorder;
    const auto report = vault.backup(request, recorder);
    EXPECT_TRUE(report) << (report ? "" : report.error().message());
    if (!report) return out;
    EXPECT_EQ(recorder.source_errors.size(), 0U) << recorder.text();
    out += maps_of(vault, *report->snapshot);
    Bytes restored;
    auto workspace = std::move(vault.open().value());
    EXPECT_TRUE(engine::dump_file(*workspace, *report->snapshot, source + "/a.db", [&](ByteView b) {
      append(restored, b);
      return ok();
    }));
    EXPECT_TRUE(restored == database);
    const Bytes page = text_bytes(4096, 77);
    for (const std::size_t at : {7U, 900U, 2222U}) {
      std::copy(page.begin(), page.end(),
                database.begin() + static_cast<std::ptrdiff_t>(at * 4096));
    }
    append(database, text_bytes(40 * 4096, 78));
  }
  Recorder recorder;
  const auto checked = vault.check(recorder);
  EXPECT_TRUE(checked);
  EXPECT_EQ(recorder.damage(), 0U) << recorder.text();
  return out;
}

TEST_F(Carriers, AllGiveTheSameContent) {  // covers F9.1
  SimEnv sim;
  ASSERT_TRUE(Vault(sim).init());
  copy_repository(sim, path("uring-repo"));
  copy_repository(sim, path("pool-repo"));
  const std::string expected = back_up_twice(sim, &sim, "/repo", "/src");
  ASSERT_GT(expected.size(), 500U);
  const auto uring = make_linux_env({.io = LinuxEnvOptions::Io::IoUring});
  EXPECT_EQ(back_up_twice(*uring, nullptr, path("uring-repo"), path("uring-src")), expected)
      << uring->io_description();
  const auto pool = make_linux_env({.io = LinuxEnvOptions::Io::ThreadPool});
  EXPECT_EQ(back_up_twice(*pool, nullptr, path("pool-repo"), path("pool-src")), expected)
      << pool->io_description();
}

}  // namespace
}  // namespace pagevault::testing
