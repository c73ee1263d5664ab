// Objects cut, lengthened, emptied, zeroed, exchanged or gone: the check names them, what they do
// not hold still restores, and what can be rebuilt is rebuilt (F5).

#include "fault_scenario.h"

namespace pagevault::testing {
namespace {

const std::string kRoot = "/repo/";

std::string kind_of(const std::string& path) {
  const std::string relative = path.substr(kRoot.size());
  return relative.substr(0, relative.find('/'));
}

std::vector<std::string> objects(const SimEnv& env, std::string_view kind) {
  std::vector<std::string> out;
  for (const std::string& path : env.list_files("/repo")) {
    if (kind_of(path) == kind) out.push_back(path);
  }
  return out;
}

bool names(const Recorder& recorder, const std::string& path) {
  return std::any_of(recorder.findings.begin(), recorder.findings.end(), [&](const auto& f) {
    return f.severity == engine::CheckFinding::Severity::Damage &&
           f.object == path.substr(kRoot.size());
  });
}

/// A range of a file of a snapshot.
using Range = std::tuple<std::string, std::string, std::uint64_t, std::uint64_t>;

/// Whether `chunk`, or what it is a delta of, lies in `pack`.
bool needs_pack(repo::ChunkIndex& index, const ChunkId& chunk, const std::string& pack) {
  const auto place = std::move(index.find(chunk).value()).front();
  if (place.pack.id.hex() == pack) return true;
  return repo::has_base(place.entry.encoding) && needs_pack(index, place.entry.base, pack);
}

/// What cannot be read of each file of each snapshot without `pack`, from the maps.
std::set<Range> ranges_in(Vault& vault, const std::string& pack) {
  std::set<Range> out;
  auto workspace = std::move(vault.open().value());
  const auto listing = std::move(workspace->repository().list_snapshots().value());
  for (const auto& stored : listing.snapshots) {
    const auto visit = [&](const std::string& path, const repo::Entry& entry) -> Result<bool> {
      if (entry.info.type != FileType::Regular) return true;
      engine::MapReader map(workspace->reader(), entry.map, entry.info.size);
      for (std::uint64_t span = 0; span < map.spans(); ++span) {
        std::uint64_t offset = span * repo::kSpanBytes;
        PV_TRY_ASSIGN(const repo::SpanNode node, map.span(span));
        for (const repo::Extent& extent : node) {
          if (!extent.hole && needs_pack(workspace->index(), extent.chunk, pack)) {
            out.emplace(stored.id.hex(8), path, offset, extent.length);
          }
          offset += extent.length;
        }
      }
      return true;
    };
    EXPECT_TRUE(engine::walk_tree(*workspace, engine::root_entry(stored.snapshot), "", visit));
  }
  return out;
}

class Damage : public ::testing::Test {
 protected:
  void SetUp() override {
    scenario.prepare();
    scenario.must_backup();
    healthy = scenario.env.save();
    for (const auto& [id, text] : scenario.acknowledged) {
      const std::string out = "/whole-" + id.hex(8);
      ASSERT_TRUE(scenario.vault.restore(id, "/src", out));
      for (auto& [path, bytes] : contents(scenario.env, out)) {
        whole[id]["/src" + path.substr(out.size())] = bytes;
      }
    }
    scenario.env.load(healthy);
  }

  /// Every file of every snapshot is restored as it was, or named as damaged and not put in place.
  void other_files_restore() {
    for (const auto& [id, files] : whole) {
      Recorder recorder;
      engine::RestoreRequest request;
      request.snapshot = id;
      request.path = "/src";
      request.target = "/out-" + id.hex(8);
      const auto report = scenario.vault.restore(request, recorder);
      if (!report) {
        EXPECT_FALSE(report.error().message().empty());
        continue;
      }
      std::set<std::string> hurt;
      bool folder_hurt = false;
      for (const auto& problem : recorder.problems) {
        hurt.insert(problem.path);
        folder_hurt |= !files.contains(problem.path);
      }
      for (const auto& [path, bytes] : files) {
        const auto out = scenario.env.read_file(request.target + path.substr(4));
        if (hurt.contains(path)) {
          EXPECT_FALSE(out.has_value()) << path << " is damaged and under its name";
        } else if (out || !folder_hurt) {
          EXPECT_TRUE(out == bytes) << path;
        }
      }
    }
  }

  /// Runs a check with data. The damage must be named: by object, or because nothing opens.
  void must_be_named(const std::string& path) {
    Recorder recorder;
    const auto report = scenario.vault.check(recorder);
    if (!report) {
      EXPECT_TRUE(kind_of(path) == "keys" || kind_of(path) == "config") << report.error().message();
      return;
    }
    EXPECT_GT(report->damage, 0U);
    EXPECT_TRUE(names(recorder, path)) << path << "\n" << recorder.text();
  }

  void repair_index() {
    auto workspace = std::move(scenario.vault.open().value());
    const auto repaired = repo::repair_index(workspace->repository(), workspace->index());
    ASSERT_TRUE(repaired) << repaired.error().message();
    EXPECT_TRUE(repaired->damaged.empty());
  }

  Scenario scenario;
  SimDisk healthy;
  std::map<SnapshotId, std::map<std::string, Bytes>> whole;
};

TEST_F(Damage, OfEveryKindInEveryObjectIsNamedAndOtherFilesRestore) {  // covers F5.1, F5.2, I3
  SimEnv& env = scenario.env;
  const std::vector<std::pair<std::string, std::function<void(const std::string&)>>> kinds = {
      {"emptied", [&](const auto& path) { env.truncate(path, 0); }},
      {"cut to half", [&](const auto& path) { env.truncate(path, env.file_size(path) / 2); }},
      {"one byte less", [&](const auto& path) { env.truncate(path, env.file_size(path) - 1); }},
      {"one byte more", [&](const auto& path) { env.append_file(path, Bytes(1)); }},
      {"longer", [&](const auto& path) { env.append_file(path, random_bytes(5000, 1)); }},
      {"zeroed", [&](const auto& path) { env.write_file(path, Bytes(env.file_size(path))); }},
      {"second half zeroed",
       [&](const auto& path) {
         Bytes bytes = *env.read_file(path);
         std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 2), bytes.end(),
                   std::byte{0});
         env.write_file(path, bytes);
       }},
      {"noise",
       [&](const auto& path) { env.write_file(path, random_bytes(env.file_size(path), 2)); }},
  };
  for (const std::string& path : env.list_files("/repo")) {
    for (const auto& [kind, hurt] : kinds) {
      SCOPED_TRACE(kind + ": " + path);
      env.load(healthy);
      hurt(path);
      must_be_named(path);
      other_files_restore();
    }
  }
}

TEST_F(Damage, ByExchangedObjectsIsNamed) {  // covers F5.3, S2
  SimEnv& env = scenario.env;
  Scenario other;
  other.env.reseed(77);
  other.prepare();
  for (const std::string_view kind : {"packs", "index", "snapshots"}) {
    const auto ours = objects(env, kind);
    ASSERT_GE(ours.size(), 2U);
    for (std::size_t i = 0; i < ours.size(); ++i) {
      const std::string& next = ours[(i + 1) % ours.size()];
      SCOPED_TRACE(ours[i]);
      env.load(healthy);
      env.swap_files(ours[i], next);
      must_be_named(ours[i]);
      must_be_named(next);
      other_files_restore();
      env.load(healthy);
      env.write_file(ours[i], *other.env.read_file(objects(other.env, kind).front()));
      must_be_named(ours[i]);
      other_files_restore();
    }
  }
}

TEST_F(Damage, ByObjectsUnderAnotherNameIsNamed) {  // covers F5.3, S2
  SimEnv& env = scenario.env;
  const std::string wrong(64, '5');
  const std::vector<std::pair<std::string, std::string>> moves = {
      {objects(env, "index").front(), "/repo/index/" + wrong},
      {objects(env, "snapshots").front(), "/repo/snapshots/" + wrong},
      {objects(env, "index").front(), "/repo/snapshots/" + wrong},
      {objects(env, "snapshots").front(), "/repo/sessions/" + wrong},
      {"/repo/config", "/repo/sessions/" + wrong},
  };
  for (const auto& [from, to] : moves) {
    SCOPED_TRACE(to);
    env.load(healthy);
    env.write_file(to, *env.read_file(from));
    must_be_named(to);
    other_files_restore();
  }
}

TEST_F(Damage, OfAMissingPackIsNamedBySnapshotFileAndRange) {  // covers F5.4
  SimEnv& env = scenario.env;
  for (const std::string& path : objects(env, "packs")) {
    SCOPED_TRACE(path);
    env.load(healthy);
    const std::string id = path.substr(path.rfind('/') + 1);
    const std::set<Range> expected = ranges_in(scenario.vault, id);
    env.remove(path);
    Recorder recorder;
    const auto report = scenario.vault.check(recorder);
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_TRUE(names(recorder, path)) << recorder.text();
    std::set<Range> found;
    for (const auto& f : recorder.findings) {
      if (f.length > 0) found.emplace(f.snapshot, f.path, f.offset, f.length);
    }
    if (!expected.empty()) {
      EXPECT_EQ(found, expected) << recorder.text();
    }
    other_files_restore();
  }
}

TEST_F(Damage, OfAMissingPackIsMadeGoodByTheNextBackup) {  // covers F5.4, I6
  SimEnv& env = scenario.env;
  const std::string source = tree_text(env, "/src");
  for (const std::string& path : objects(env, "packs")) {
    SCOPED_TRACE(path);
    env.load(healthy);
    env.remove(path);
    const auto next = scenario.vault.backup({"/src"});
    ASSERT_TRUE(next) << next.error().message();
    EXPECT_TRUE(scenario.restores(*next->snapshot, source));
  }
}

TEST_F(Damage, OfIndexObjectsIsRepairedFromPacks) {  // covers F5.4, F5.8, I9, I10
  SimEnv& env = scenario.env;
  const auto index = objects(env, "index");
  const std::vector<std::function<void(const std::string&)>> kinds = {
      [&](const auto& path) { env.remove(path); },
      [&](const auto& path) { env.flip_bit(path, 8 * 100); },
      [&](const auto& path) { env.truncate(path, 0); },
  };
  for (const auto& hurt : kinds) {
    for (std::size_t first = 0; first <= index.size(); ++first) {
      SCOPED_TRACE(first);
      env.load(healthy);
      if (first < index.size()) {
        hurt(index[first]);
      } else {
        for (const std::string& path : index) hurt(path);
      }
      const auto before = contents(env, "/repo");
      repair_index();
      for (const auto& [path, bytes] : before) EXPECT_TRUE(env.read_file(path) == bytes) << path;
      scenario.must_have_recovered();
    }
  }
}

// A snapshot may refer only to what was proved present in its own run: what a lost index object
// listed is not (I6).
TEST_F(Damage, OfIndexObjectsDoesNotSpoilTheNextBackup) {  // covers I6, I9, F5.4, F5.8
  SimEnv& env = scenario.env;
  const std::string source = tree_text(env, "/src");
  const auto index = objects(env, "index");
  for (std::size_t lost = 0; lost <= index.size(); ++lost) {
    SCOPED_TRACE(lost);
    env.load(healthy);
    if (lost < index.size()) {
      env.remove(index[lost]);
    } else {
      for (const std::string& path : index) env.remove(path);
    }
    for (const bool force : {false, true}) {
      auto request = scenario.vault.request({"/src"});
      request.force = force;
      Recorder recorder;
      const auto next = scenario.vault.backup(request, recorder);
      ASSERT_TRUE(next) << next.error().message();
      EXPECT_TRUE(scenario.restores(*next->snapshot, source)) << "force=" << force;
    }
  }
}

TEST_F(Damage, ForeignFilesAreCountedAndLeftAlone) {  // covers F5.6, F3.6
  SimEnv& env = scenario.env;
  const std::vector<std::string> junk = {"/repo/packs/junk",
                                         "/repo/packs/00/.nfs000000000001",
                                         "/repo/packs/00/.fuse_hidden0001",
                                         "/repo/packs/00/.tmp-00112233445566778899aabbccddeeff",
                                         "/repo/index/.DS_Store",
                                         "/repo/snapshots/Thumbs.db",
                                         "/repo/snapshots/" + std::string(63, 'a'),
                                         "/repo/snapshots/" + std::string(64, 'A'),
                                         "/repo/keys/old.key",
                                         "/repo/sessions/x"};
  for (const std::string& path : junk) env.write_file(path, "junk");
  env.make_dirs("/repo/packs/00/" + std::string(64, '0'));
  Recorder recorder;
  const auto report = scenario.vault.check(recorder);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->damage, 0U) << recorder.text();
  EXPECT_EQ(report->foreign, junk.size() + 1);
  scenario.must_have_recovered();
  for (const std::string& path : junk) EXPECT_TRUE(env.exists(path)) << path;
}

TEST_F(Damage, OfOneKeySlotLeavesTheOthersWorking) {  // covers F7.2
  SimEnv& env = scenario.env;
  const auto slots = objects(env, "keys");
  ASSERT_EQ(slots.size(), 1U);
  const Bytes other(32, std::byte{9});
  {
    auto workspace = std::move(scenario.vault.open().value());
    ASSERT_TRUE(workspace->repository().add_key_slot(
        repo::KeyFileSecret{SecretBytes::copy_of(other)}, "second", {}));
  }
  std::string second;
  for (const std::string& path : objects(env, "keys")) {
    if (path != slots[0]) second = path;
  }
  env.flip_bit(second, 8 * 150);
  Recorder recorder;
  ASSERT_TRUE(scenario.vault.check(recorder));
  EXPECT_TRUE(names(recorder, second)) << recorder.text();
  scenario.everything_restores("");
}

}  // namespace
}  // namespace pagevault::testing
