// Files whose source says where they changed: what is read, what is taken over unread, and what
// happens when the source was wrong. Design section 4, step 1; S10, I6, F5.8.

#include "changed_scenario.h"
#include "pagevault/base/linux_env.h"
#include "scratch_dir.h"

namespace pagevault::testing {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::uint64_t kSpan = repo::kSpanBytes;
constexpr std::uint64_t kExtentMax = 128 * kKiB;  // What the page chunker makes at most.

void write_whole(Env& env, const std::string& folder, const std::string& name, ByteView content) {
  auto dir = std::move(env.open_dir(folder).value());
  dir->remove_file(name).ignore("the first time there is none");
  auto file = dir->open_file(name, OpenMode::CreateExclusive);
  ASSERT_TRUE(file) << file.error().message();
  ASSERT_TRUE((*file)->write_at(0, content));
  ASSERT_TRUE((*file)->close());
}

/// In the simulator.
class EngineChanged : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(vault.init());
    env.make_dirs("/src");
  }

  ChangedOutcome step(const Bytes& content, const ChangedStep& how) {
    env.write_file("/src/db", content);
    auto outcome = scenario.step(how);
    EXPECT_TRUE(outcome) << outcome.error().message();
    if (!outcome) return {};
    if (!how.dry_run) {
      const auto restored = scenario.restored();
      EXPECT_TRUE(restored) << restored.error().message();
      EXPECT_TRUE(restored && *restored == content);
    }
    return *outcome;
  }

  engine::MapReader map_of(engine::Workspace& workspace) {
    entry = scenario.entry(workspace).value();
    return {workspace.reader(), entry.map, entry.info.size};
  }
  static std::string path_of(const repo::BlobLocation& place) {
    return "/repo/" + repo::object_path({repo::ObjectType::Pack, place.pack.id.hex()});
  }

  /// One bit of what the last snapshot says of a span.
  void damage_node_of_span(std::uint64_t span) {
    auto workspace = std::move(vault.open().value());
    const ChunkId node = map_of(*workspace).node_id(span).value();
    const auto places = workspace->index().find(node).value();
    env.flip_bit(path_of(places.front()), 8 * places.front().offset);
  }
  /// The pack with the chunk at `offset`, in the first span, is lost.
  void remove_pack_of(std::uint64_t offset) {
    auto workspace = std::move(vault.open().value());
    const repo::SpanNode node = map_of(*workspace).span(0).value();
    std::uint64_t end = 0;
    for (const repo::Extent& extent : node) {
      end += extent.length;
      if (end <= offset) continue;
      env.remove(path_of(workspace->index().find(extent.chunk).value().front()));
      return;
    }
  }

  void expect_sound() {
    Recorder recorder;
    ASSERT_TRUE(vault.check(recorder));
    EXPECT_EQ(recorder.damage(), 0U) << recorder.text();
  }

  SimEnv env;
  Vault vault{env};
  ChangedScenario scenario{env, vault, "/src", "db"};
  repo::Entry entry;  // Of the last map_of.
};

// Two spans and a half, mostly zero pages.
Bytes large_database() {
  Bytes out(2 * kSpan + kSpan / 2);
  for (const std::uint64_t at : {std::uint64_t{0}, kSpan, 2 * kSpan, 5 * kSpan / 2 - 300 * kPage}) {
    const Bytes some = page_database(300, kPage, at);
    std::copy(some.begin(), some.end(), out.begin() + static_cast<std::ptrdiff_t>(at));
  }
  return out;
}

TEST_F(EngineChanged, ReadsTheExtentsOfChangedPagesAndNothingElse) {
  ChangingFile file(page_database(1000, kPage, 1), kPage, 1);
  EXPECT_EQ(step(file.content(), {.changed = Ranges{}}).bytes_read, file.content().size());
  for (const std::size_t page : {10U, 500U, 501U, 999U}) file.change(page);
  const auto second = step(file.content(), {.changed = file.changed()});
  EXPECT_GE(second.bytes_read, 4 * kPage);
  EXPECT_LE(second.bytes_read, 4 * kExtentMax);
  EXPECT_GE(second.totals.deltas, 3U) << "what the parent had there is what they are deltas of";
  EXPECT_FALSE(second.differed);
  EXPECT_EQ(step(file.content(), {.changed = file.changed()}).bytes_read, 0U);
  expect_sound();
}

TEST_F(EngineChanged, APageThatIsNamedButAsItWasCostsItsReadingOnly) {
  ChangingFile file(page_database(1000, kPage, 1), kPage, 1);
  step(file.content(), {});
  file.name(77);
  const auto second = step(file.content(), {.changed = file.changed()});
  EXPECT_GT(second.bytes_read, 0U);
  EXPECT_LE(second.bytes_read, kExtentMax);
  EXPECT_EQ(second.totals.bytes_stored_data, 0U);
}

TEST_F(EngineChanged, WhatAFileGrewByIsReadUnasked) {
  ChangingFile file(page_database(1000, kPage, 1), kPage, 1);
  step(file.content(), {});
  const std::size_t before = file.content().size();
  file.resize(before + 100 * kPage);
  const auto grown = step(file.content(), {.changed = Ranges{}});
  EXPECT_LE(grown.bytes_read, 100 * kPage + kExtentMax);
  file.resize(before - 33 * kPage);
  const auto shrunk = step(file.content(), {.changed = Ranges{}});
  EXPECT_LE(shrunk.bytes_read, kExtentMax) << "at most the extent that the new end cuts off";
  file.resize(0);
  EXPECT_EQ(step(file.content(), {.changed = Ranges{}}).bytes_read, 0U);
  file.resize(5 * kPage);
  EXPECT_EQ(step(file.content(), {.changed = Ranges{}}).bytes_read, 5 * kPage);
  expect_sound();
}

// The property: whatever changed, the map is that of the file.
TEST_F(EngineChanged, AnyRowOfChangesRestoresToTheBytes) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    ChangingFile file(page_database(600, kPage, seed), kPage, seed);
    step(file.content(), {});
    for (std::uint64_t round = 0; round < 25; ++round) {
      const std::size_t length = file.content().size();
      file.change_at_random();
      const Ranges changed = file.changed();
      const auto done = step(file.content(), {.changed = changed, .prove = file.below(4) == 0});
      EXPECT_FALSE(done.differed);
      const std::size_t grown = std::max(file.content().size(), length) - length;
      EXPECT_LE(done.bytes_read, bytes_of(changed) + grown + (2 * changed.size() + 1) * kExtentMax);
    }
  }
  expect_sound();
}

TEST_F(EngineChanged, EveryPageSizeWillDo) {
  for (const std::size_t page : {512U, 1024U, 8192U, 32'768U, 65'536U}) {
    SCOPED_TRACE(page);
    ChangingFile file(page_database(4 * kMiB / page, page, page), page, page);
    EXPECT_EQ(step(file.content(), {}).page_size, page);
    for (int round = 0; round < 8; ++round) {
      file.change_at_random();
      EXPECT_FALSE(step(file.content(), {.changed = file.changed()}).differed);
    }
  }
}

TEST_F(EngineChanged, AFileWithoutPagesWillDoToo) {
  ChangingFile file(text_bytes(4 * kMiB, 7), kPage, 7);
  EXPECT_EQ(step(file.content(), {}).page_size, 0U);
  for (int round = 0; round < 20; ++round) {
    file.change_at_random();
    EXPECT_FALSE(step(file.content(), {.changed = file.changed()}).differed);
  }
}

TEST_F(EngineChanged, AnotherPageSizeMeansThatAllIsRead) {
  step(page_database(1000, kPage, 1), {});
  const Bytes other = page_database(500, 2 * kPage, 2);
  const auto second = step(other, {.changed = Ranges{{0, other.size()}}});
  EXPECT_EQ(second.bytes_read, other.size());
  // Also when only the first bytes tell: the plan went by the parent's pages.
  const Bytes third = page_database(1000, kPage, 3);
  const auto misled = step(third, {.changed = Ranges{{0, kPage}}});
  EXPECT_TRUE(misled.differed);
  EXPECT_EQ(misled.bytes_read, third.size());
}

TEST_F(EngineChanged, SpansWithoutAChangeAreNotEvenDecoded) {  // F5.8
  ChangingFile file(large_database(), kPage, 5);
  step(file.content(), {});
  damage_node_of_span(1);
  file.change(3);
  file.change(2 * kSpan / kPage + 7);
  const Ranges changed = file.changed();
  env.write_file("/src/db", file.content());
  const auto second = scenario.step({.changed = changed});
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_FALSE(second->differed);
  EXPECT_LE(second->bytes_read, 2 * kExtentMax);
  // Where it must be decoded and cannot be, the span is as good as new.
  file.change(kSpan / kPage + 1);
  const auto third = step(file.content(), {.changed = file.changed()});
  EXPECT_EQ(third.bytes_read, kSpan);
}

TEST_F(EngineChanged, APageWrittenIntoAHoleDoesNotCostTheHole) {
  ChangingFile file(large_database(), kPage, 5);
  step(file.content(), {});
  file.change(5000);
  file.change(5001);
  file.change(15'000);
  EXPECT_LE(step(file.content(), {.changed = file.changed()}).bytes_read, 2 * 64 * kKiB);
  file.clear(5001);
  EXPECT_LE(step(file.content(), {.changed = file.changed()}).bytes_read, kExtentMax);
}

TEST_F(EngineChanged, FilesGrowAndShrinkAcrossTheBordersOfSpans) {
  ChangingFile file(large_database(), kPage, 6);
  step(file.content(), {});
  std::uint64_t before = file.content().size();
  for (const std::uint64_t size : {2 * kSpan, 2 * kSpan + kPage, 2 * kSpan - kPage, kSpan,
                                   kSpan + 1, 2 * kSpan, kSpan - 512}) {
    SCOPED_TRACE(size);
    file.change(17);
    file.resize(size);
    const auto done = step(file.content(), {.changed = file.changed()});
    EXPECT_FALSE(done.differed);
    EXPECT_LE(done.bytes_read, (size > before ? size - before : 0) + 3 * kExtentMax);
    before = size;
  }
  expect_sound();
}

TEST_F(EngineChanged, ManySmallRangesDoNotUseUpTheBlocks) {
  // Each range begins a block of its own, and chunks of neighbours wait for one another.
  ChangingFile file(page_database(4000, 512, 1), 512, 1);
  for (std::size_t page = 2; page < 4000; page += 3) file.clear(page);  // Extents stay long.
  Bytes& content = file.content();
  content.resize(200 * kMiB / 16);
  for (std::size_t at = 4000 * 512; at + 40'960 < content.size(); at += 40'960) {
    content[at] = std::byte{1};  // A page, then zero pages: extents of one page between holes.
  }
  file.changed();
  step(content, {});
  for (std::size_t at = 4000 * 512; at + 40'960 < content.size(); at += 40'960) {
    file.change(at / 512);
  }
  const Ranges changed = file.changed();
  const auto done = step(file.content(), {.changed = changed});
  EXPECT_LE(done.bytes_read, changed.size() * kExtentMax);
  EXPECT_GE(changed.size(), 200U);
}

TEST_F(EngineChanged, TheAuditFindsWhatTheSourceDidNotName) {  // S10
  ChangingFile file(page_database(1000, kPage, 1), kPage, 1);
  step(file.content(), {});
  file.change(400);
  file.changed();  // The lie.
  env.write_file("/src/db", file.content());
  const auto lied = scenario.step({.changed = Ranges{}});
  ASSERT_TRUE(lied);
  EXPECT_FALSE(lied->differed);
  EXPECT_NE(*scenario.restored(), file.content()) << "nothing can know yet";
  int round = 1;
  for (; round <= 30; ++round) {
    const auto audited = [&](std::uint64_t span) {
      return (span + 7) % 30 == 30U - unsigned(round);
    };
    env.write_file("/src/db", file.content());
    const auto done = scenario.step({.changed = Ranges{}, .audited = audited});
    ASSERT_TRUE(done);
    if (done->differed) break;
  }
  EXPECT_LE(round, 30);
  EXPECT_EQ(*scenario.restored(), file.content());
}

TEST_F(EngineChanged, AnAuditOfAnHonestSourceReadsTheSpanAndFindsNothing) {  // S10
  ChangingFile file(large_database(), kPage, 8);
  step(file.content(), {});
  const auto first = [](std::uint64_t span) { return span == 0; };
  file.change(300);
  file.clear(9);
  const auto done = step(file.content(), {.changed = file.changed(), .audited = first});
  EXPECT_FALSE(done.differed);
  EXPECT_EQ(done.audit_mismatches, 0U);
  EXPECT_EQ(done.bytes_read, kSpan);
  const auto trusted = step(file.content(), {.trust = true, .audited = first});
  EXPECT_FALSE(trusted.differed) << "holes that are still there are no difference";
  EXPECT_EQ(trusted.bytes_read, kSpan);
}

TEST_F(EngineChanged, AnAuditSeesBytesWhereAHoleWas) {  // S10
  ChangingFile file(large_database(), kPage, 9);
  step(file.content(), {});
  file.content()[kSpan / 2] = std::byte{1};
  const auto done = step(file.content(), {.changed = Ranges{},
                                          .audited = [](std::uint64_t span) { return span == 0; }});
  EXPECT_TRUE(done.differed);
}

TEST_F(EngineChanged, ParanoidReadsAllOfIt) {
  ChangingFile file(page_database(1000, kPage, 1), kPage, 1);
  step(file.content(), {});
  file.change(5);
  const auto done = step(file.content(), {.changed = Ranges{}, .paranoid = true});
  EXPECT_EQ(done.bytes_read, file.content().size());
  EXPECT_FALSE(done.differed);
}

TEST_F(EngineChanged, ADryRunReadsTheSameAndWritesNothing) {
  ChangingFile file(page_database(1000, kPage, 1), kPage, 1);
  step(file.content(), {});
  const auto before = vault.snapshots();
  file.change(5);
  const Ranges changed = file.changed();
  const auto dry = step(file.content(), {.changed = changed, .dry_run = true});
  EXPECT_GT(dry.bytes_read, 0U);
  EXPECT_GT(dry.totals.chunks_new, 0U);
  EXPECT_EQ(*vault.snapshots(), *before);
  EXPECT_EQ(step(file.content(), {.changed = changed}).bytes_read, dry.bytes_read);
}

TEST_F(EngineChanged, WhatTheRepositoryHasLostIsReadAgain) {  // I6, F5.4
  ChangingFile file(page_database(1000, kPage, 1), kPage, 1);
  step(file.content(), {});
  for (std::size_t page = 100; page < 200; ++page) file.change(page);
  step(file.content(), {.changed = file.changed()});
  remove_pack_of(150 * kPage);
  env.write_file("/src/db", file.content());
  const auto done = step(file.content(), {.changed = Ranges{}, .prove = true});
  EXPECT_FALSE(done.differed);
  EXPECT_GE(done.bytes_read, 100 * kPage);
  EXPECT_LT(done.bytes_read, 400 * kPage);
}

TEST_F(EngineChanged, LargeFilesKeepTheirDictionary) {
  ChangingFile file(Bytes(), kPage, 4);
  file.content() = text_bytes(65 * kMiB, 4);
  const Bytes head = page_database(1, kPage, 1);
  std::copy(head.begin(), head.begin() + 100, file.content().begin());
  step(file.content(), {});
  for (std::size_t page = 30; page < 9000; page += 1000) file.change(page);
  file.resize(66 * kMiB);
  const auto done = step(file.content(), {.changed = file.changed()});
  EXPECT_FALSE(done.differed);
  EXPECT_GE(done.totals.deltas, 9U);
  expect_sound();
}

// On a real file system, with real workers.
TEST(EngineChangedFiles, AnyRowOfChangesRestoresToTheBytes) {
  const ScratchDir scratch;
  const auto env = make_linux_env({});
  Vault vault(*env, scratch.path() + "/repo", scratch.path() + "/cache");
  ASSERT_TRUE(vault.init());
  std::filesystem::create_directories(scratch.path() + "/src");
  ChangedScenario scenario(*env, vault, scratch.path() + "/src", "db");
  ChangingFile file(page_database(3000, kPage, 1), kPage, 12);
  std::optional<Ranges> changed;
  for (int round = 0; round < 20; ++round) {
    write_whole(*env, scratch.path() + "/src", "db", file.content());
    const auto done = scenario.step({.changed = changed});
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_FALSE(done->differed);
    const auto restored = scenario.restored();
    ASSERT_TRUE(restored) << restored.error().message();
    ASSERT_TRUE(*restored == file.content()) << "round " << round;
    file.change_at_random();
    changed = file.changed();
  }
}

}  // namespace
}  // namespace pagevault::testing
