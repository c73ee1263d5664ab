// Incrementals on a real file system with real workers: the parent's extents, blocks of the pool
// and the workers' queue must never wait for each other in a circle.

#include <filesystem>
#include <fstream>

#include "cluster_vocabulary.h"
#include "pagevault/base/linux_env.h"
#include "pagevault/pgsupport/incremental_file.h"
#include "scratch_dir.h"

namespace pagevault::testing {
namespace {

constexpr std::uint32_t kBlocks = 4'096;  // 32 MiB: several spans and many extents.

class ClusterThreads : public ::testing::TestWithParam<LinuxEnvOptions::Io> {
 protected:
  ClusterThreads() : env_(make_linux_env({.io = GetParam()})), vault_(*env_, at("repo")) {
    cluster_.segment_blocks = 131'072;
    EXPECT_TRUE(vault_.init(16 * kMiB));
  }

  std::string at(const std::string& name) const { return scratch_.path() + "/" + name; }

  void take(unsigned number, std::optional<unsigned> from, const ClusterFiles& files,
            const ClusterFiles& expected) {
    std::filesystem::remove_all(at("base"));
    for (const auto& [path, bytes] : whole_base_backup(cluster_, number, from, files)) {
      const std::filesystem::path to = at("base") + "/" + path;
      std::filesystem::create_directories(to.parent_path());
      std::ofstream out(to, std::ios::binary);
      out << as_text(bytes);
      ASSERT_TRUE(out.flush());
    }
    Recorder recorder;
    const auto report = vault_.backup(cluster_request(vault_, at("base")), recorder);
    ASSERT_TRUE(report) << report.error().message() << recorder.text();
    const auto found = data_of(vault_, *report->snapshot);
    ASSERT_TRUE(found) << found.error().message();
    EXPECT_EQ(differences(*found, data_directory(cluster_, number, expected)), "");
  }

  ScratchDir scratch_;
  std::unique_ptr<Env> env_;
  Vault vault_;
  PlayedCluster cluster_;
};

INSTANTIATE_TEST_SUITE_P(Io, ClusterThreads,
                         ::testing::Values(LinuxEnvOptions::Io::Auto,
                                           LinuxEnvOptions::Io::ThreadPool),
                         [](const auto& io) {
                           return io.param == LinuxEnvOptions::Io::Auto ? "Auto" : "ThreadPool";
                         });

TEST_P(ClusterThreads, ScatteredBlocksOfManyRelationsEndAndAreRight) {
  ClusterFiles now;
  for (unsigned i = 0; i < 3; ++i) {
    now[fmt::format("base/5/{}", 16'384 + i)] = relation(kBlocks / (i + 1), 10 + i);
  }
  take(1, std::nullopt, now, now);
  // Every 37th block, every second one, all but a few: alone in an extent, and side by side.
  for (unsigned number = 2; number <= 4; ++number) {
    ClusterFiles files;
    for (auto& [path, bytes] : now) {
      const auto blocks = static_cast<std::uint32_t>(bytes.size() / kClusterBlock);
      const std::uint32_t step = number == 2 ? 37 : number == 3 ? 2 : 1;
      std::map<std::uint32_t, Bytes> images;
      for (std::uint32_t block = number; block < blocks; block += step) {
        images[block] = relation_page(number * 100'000 + block, block);
      }
      files[pgsupport::incremental_path_of(path)] = incremental_file(blocks, images);
      bytes = segment_after(bytes, blocks, images);
    }
    SCOPED_TRACE(number);
    take(number, number - 1, files, now);
    if (HasFailure()) return;
  }
  Recorder recorder;
  ASSERT_TRUE(vault_.check(recorder));
  EXPECT_EQ(recorder.damage(), 0U) << recorder.text();
}

}  // namespace
}  // namespace pagevault::testing
