// Several writers at once, and index caches that know what is not there.

#include "fault_scenario.h"
#include "pagevault/repo/write_session.h"

namespace pagevault::testing {
namespace {

std::size_t notes_with(const Recorder& recorder, std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(recorder.findings.begin(), recorder.findings.end(), [&](const auto& f) {
        return f.severity == engine::CheckFinding::Severity::Note &&
               f.problem.find(text) != std::string::npos;
      }));
}

class TwoWriters : public ::testing::TestWithParam<bool> {};

/// A second client backs up a source of its own, or the same one, from start to end while the first
/// is at a random call.
TEST_P(TwoWriters, AtOnceBothSucceedAndRestore) {  // covers F4.1, I1, I2, I4
  const bool same_source = GetParam();
  const std::string second_source = same_source ? "/src" : "/other";
  Scenario scenario;
  scenario.prepare();
  scenario.env.write_file("/other/a.db", *scenario.env.read_file("/src/a.db"));
  scenario.env.write_file("/other/own", text_bytes(50'000, 9));
  const SimDisk disk = scenario.env.save();
  const std::string first_text = tree_text(scenario.env, "/src");
  const std::string second_text = tree_text(scenario.env, second_source);
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(fmt::format("seed={}", seed));
    scenario.env.load(disk);
    scenario.env.reseed(seed);
    std::mt19937_64 random(seed);
    const std::uint64_t at = random() % 1600;
    std::uint64_t calls = 0;
    Result<engine::BackupReport> second = Error(ErrorCode::Io, "not run");
    const auto run_second = [&] { second = scenario.vault.backup({second_source}); };
    scenario.env.on_call([&](const SimCall&) {
      if (calls++ == at) run_second();
    });
    const auto first = scenario.vault.backup({"/src"});
    scenario.env.on_call({});
    if (calls <= at) run_second();
    ASSERT_TRUE(first) << first.error().message();
    ASSERT_TRUE(second) << second.error().message();
    EXPECT_TRUE(scenario.restores(*first->snapshot, first_text));
    ASSERT_TRUE(scenario.vault.restore(*second->snapshot, second_source, "/second"));
    EXPECT_EQ(tree_text(scenario.env, "/second"), second_text);
    for (const auto& [id, text] : scenario.acknowledged) EXPECT_TRUE(scenario.restores(id, text));
    scenario.check_finds_no_damage();
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Sources, TwoWriters, ::testing::Bool(), [](const auto& i) {
  return std::string(i.param ? "OfTheSameSource" : "OfTwoSources");
});

// A cloned machine: both copies continue the same chain at the same moment.
TEST(OneClientTwice, MakesAForkThatTheCheckReportsAndBothRestore) {  // covers F4.2, S5
  Scenario scenario;
  scenario.begin();
  scenario.must_backup();
  const auto [id, text] = *scenario.acknowledged.begin();
  auto workspace = std::move(scenario.vault.open().value());
  repo::Snapshot copy = std::move(workspace->repository().read_snapshot(id).value());
  copy.client.bytes.fill(std::byte{5});
  const auto commit = [&](repo::ChunkIndex& index) -> Result<SnapshotId> {
    repo::ChunkReader reader(workspace->repository(), index);
    PV_TRY_ASSIGN(const auto session, repo::WriteSession::begin(reader, {}));
    return session->commit(copy);
  };
  const auto other_index = repo::make_memory_index();
  ASSERT_TRUE(repo::load_index(workspace->repository(), *other_index));
  bool done = false;
  Result<SnapshotId> second = Error(ErrorCode::Io, "not run");
  scenario.env.on_call([&](const SimCall& call) {
    const bool names_snapshot =
        call.kind == SimCallKind::Name && call.path.find("/snapshots/") != std::string_view::npos;
    if (done || !names_snapshot) return;
    done = true;
    second = commit(*other_index);
  });
  const auto first = commit(workspace->index());
  scenario.env.on_call({});
  ASSERT_TRUE(first) << first.error().message();
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_NE(*first, *second);
  EXPECT_TRUE(scenario.restores(*first, text));
  EXPECT_TRUE(scenario.restores(*second, text));
  Recorder recorder;
  const auto report = scenario.vault.check(recorder);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->damage, 0U) << recorder.text();
  EXPECT_EQ(notes_with(recorder, "same number"), 1U) << recorder.text();
}

/// What an index of another place and time may hold: a chunk in a pack that the store has not.
repo::IndexObject foreign_object(const ChunkId& chunk) {
  repo::BlobEntry blob;
  blob.id = chunk;
  blob.stored_bytes = 1016;
  blob.plain_bytes = 1000;
  repo::PackDirectory pack;
  pack.info.id.bytes.fill(std::byte{3});
  pack.blobs = {blob};
  pack.info.file_bytes = repo::pack_file_bytes(pack.blobs);
  repo::IndexObject object;
  object.packs = {pack};
  return object;
}

TEST(IndexCache, AheadOfTheStoreIsBegunAnew) {  // covers F5.5, F5.8, I9
  Scenario scenario;
  scenario.prepare();
  const auto repository =
      std::move(repo::Repository::open(scenario.env, "/repo", test_key()).value());
  const ChunkId chunk = repository->keys().chunk_id(repo::BlobType::Data, random_bytes(1000, 1));
  const auto index = repo::make_memory_index();
  ASSERT_TRUE(repo::load_index(*repository, *index));
  repo::IndexId id;
  id.bytes.fill(std::byte{4});
  ASSERT_TRUE(index->apply(id, foreign_object(chunk)));
  ASSERT_TRUE(index->contains(chunk).value());
  const auto load = repo::load_index(*repository, *index);
  ASSERT_TRUE(load);
  EXPECT_TRUE(load->rebuilt);
  EXPECT_EQ(load->applied, load->objects);
  EXPECT_FALSE(index->contains(chunk).value());
}

TEST(IndexCache, ThatNamesAPackTheStoreHasNotCostsNoData) {  // covers F5.8, I6
  Scenario scenario;
  scenario.prepare();
  const auto repository =
      std::move(repo::Repository::open(scenario.env, "/repo", test_key()).value());
  const Bytes content = random_bytes(1000, 1);
  const ChunkId chunk = repository->keys().chunk_id(repo::BlobType::Data, content);
  const auto index = repo::make_memory_index();
  repo::IndexId id;
  id.bytes.fill(std::byte{4});
  ASSERT_TRUE(index->apply(id, foreign_object(chunk)));
  repo::ChunkReader reader(*repository, *index);
  const auto session = std::move(repo::WriteSession::begin(reader, {}).value());
  EXPECT_TRUE(session->has_lost_packs());
  EXPECT_FALSE(session->is_present(chunk).value());
  const auto put = session->put(repo::BlobType::Data, content);
  ASSERT_TRUE(put);
  EXPECT_TRUE(put->is_new);
}

TEST(IndexCache, DeletedAfterEveryRunCostsTimeOnly) {  // covers I9
  Scenario scenario;
  scenario.begin();
  for (std::uint64_t step = 1; step <= 5; ++step) {
    scenario.must_backup();  // Every run of this vault begins with an empty index.
    scenario.change(step);
  }
  scenario.must_have_recovered();
}

}  // namespace
}  // namespace pagevault::testing
