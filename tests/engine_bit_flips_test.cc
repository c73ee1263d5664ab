// Every single bit of a repository of more than 256 KiB, turned over: the check sees it (F5.1).

#include <cstdio>

#include "fault_scenario.h"
#include "pagevault/base/codec.h"
#include "pagevault/repo/sealed_object.h"

namespace pagevault::testing {
namespace {

/// The object whose file lies at `path`.
repo::ObjectName object_at(const std::string& path) {
  const std::string relative = path.substr(std::string_view("/repo/").size());
  const std::string hex = path.substr(path.rfind('/') + 1);
  for (const auto type :
       {repo::ObjectType::KeySlot, repo::ObjectType::Pack, repo::ObjectType::Index,
        repo::ObjectType::Snapshot, repo::ObjectType::Session}) {
    if (repo::object_path({type, hex}) == relative) return {type, hex};
  }
  return {repo::ObjectType::Config, ""};
}

/// A repository of at least 256 KiB with every kind of object; /src as it was at the last backup.
void make_repository(Scenario& scenario) {
  scenario.begin();
  scenario.env.write_file("/src/more", random_bytes(100'000, 4));
  for (std::uint64_t step = 1; step <= 5; ++step) {
    scenario.must_backup();
    scenario.change(step);
  }
  const auto workspace = std::move(scenario.vault.open().value());
  repo::SessionRecord record;
  record.host = "host";
  ASSERT_TRUE(workspace->repository().put_object({repo::ObjectType::Session, std::string(64, 'a')},
                                                 repo::encode_session(record)));
}

struct Flips {
  std::uint64_t detected = 0;
  std::uint64_t harmless = 0;
};

/// Turns one bit, looks at the object, and turns it back.
bool is_seen(Scenario& scenario, repo::ChunkReader& reader, const std::string& path,
             std::uint64_t bit) {
  scenario.env.flip_bit(path, bit);
  const Status status = engine::check_object(reader, object_at(path));
  scenario.env.flip_bit(path, bit);
  return !status.has_value();
}

class BitOfEveryByte : public ::testing::TestWithParam<std::uint64_t> {};

// covers F5.1
TEST_P(BitOfEveryByte, IsSeenWhenItFlips) {
  Scenario scenario;
  make_repository(scenario);
  const auto workspace = std::move(scenario.vault.open().value());
  repo::ChunkReader& reader = workspace->reader();
  Flips flips;
  std::uint64_t bytes = 0;
  for (const std::string& path : scenario.env.list_files("/repo")) {
    ASSERT_TRUE(engine::check_object(reader, object_at(path)));
    const std::uint64_t size = scenario.env.file_size(path);
    for (std::uint64_t byte = 0; byte < size; ++byte) {
      const std::uint64_t bit = byte * 8 + GetParam();
      is_seen(scenario, reader, path, bit) ? ++flips.detected : ++flips.harmless;
    }
    bytes += size;
    ASSERT_TRUE(engine::check_object(reader, object_at(path)));
  }
  std::printf("bit %d of %llu bytes: %llu flips detected, %llu harmless\n",
              static_cast<int>(GetParam()), static_cast<unsigned long long>(bytes),
              static_cast<unsigned long long>(flips.detected),
              static_cast<unsigned long long>(flips.harmless));
  EXPECT_GE(bytes, 256 * kKiB);
  EXPECT_EQ(flips.harmless, 0U);
}

INSTANTIATE_TEST_SUITE_P(Bits, BitOfEveryByte, ::testing::Range<std::uint64_t>(0, 8));

/// Turns a bit and puts the unkeyed checksum right again, as someone would who means it.
void forge(SimEnv& env, const std::string& path, std::uint64_t bit) {
  Bytes bytes = *env.read_file(path);
  bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
  const MutableBytes all(bytes);
  store_le64(all.last(8), repo::object_checksum(all.first(all.size() - 8)));
  env.write_file(path, bytes);
}

/// Whether byte `at` of the pack is padding: behind the directory, before the trailer.
bool is_padding(const Bytes& pack, std::uint64_t at) {
  const ByteView trailer = ByteView(pack).last(32);
  const std::uint64_t end = load_le64(trailer.subspan(8)) + load_le32(trailer.subspan(16));
  return at >= end && at < pack.size() - trailer.size();
}

// covers F5.1, S1, S2, S3
TEST(ForgedBit, IsSeenByAuthenticationEverywhereButInPadding) {
  Scenario scenario;
  make_repository(scenario);
  const auto workspace = std::move(scenario.vault.open().value());
  std::mt19937_64 random(5);
  Flips flips;
  for (const std::string& path : scenario.env.list_files("/repo")) {
    if (object_at(path).type == repo::ObjectType::KeySlot) continue;  // Opens only with a key.
    const Bytes good = *scenario.env.read_file(path);
    for (int i = 0; i < 300; ++i) {
      const std::uint64_t bit = random() % (8 * (good.size() - 8));
      const bool padding =
          object_at(path).type == repo::ObjectType::Pack && is_padding(good, bit / 8);
      forge(scenario.env, path, bit);
      const Status status = engine::check_object(workspace->reader(), object_at(path));
      if (status) {
        EXPECT_TRUE(padding) << path << " bit " << bit;
      }
      status ? ++flips.harmless : ++flips.detected;
      scenario.env.write_file(path, good);
    }
  }
  std::printf("forged bits: %llu detected, %llu harmless (padding)\n",
              static_cast<unsigned long long>(flips.detected),
              static_cast<unsigned long long>(flips.harmless));
}

class FlippedBit : public ::testing::TestWithParam<std::uint64_t> {};

// covers F5.1, I3
TEST_P(FlippedBit, IsFoundByAWholeCheckAndOtherFilesRestore) {
  Scenario scenario;
  scenario.prepare();
  scenario.must_backup();
  const SimDisk disk = scenario.env.save();
  const auto paths = scenario.env.list_files("/repo");
  std::uint64_t total = 0;
  for (const std::string& path : paths) total += scenario.env.file_size(path);
  std::mt19937_64 random(GetParam());
  std::uint64_t refused = 0;
  for (int i = 0; i < 750; ++i) {
    scenario.env.load(disk);
    // Every other one hits the small objects, which a choice by bytes would nearly never do.
    std::string path = paths[random() % paths.size()];
    if (i % 2 == 0) {
      std::uint64_t at = random() % total;
      for (const std::string& each : paths) {
        path = each;
        if (at < scenario.env.file_size(each)) break;
        at -= scenario.env.file_size(each);
      }
    }
    const std::uint64_t bit = random() % (8 * scenario.env.file_size(path));
    SCOPED_TRACE(fmt::format("seed={} {} bit {}", GetParam(), path, bit));
    scenario.env.flip_bit(path, bit);
    Recorder recorder;
    const auto report = scenario.vault.check(recorder);
    if (!report) {
      ++refused;
      const bool opens_all = path == "/repo/config" || path.starts_with("/repo/keys/");
      EXPECT_TRUE(opens_all) << report.error().message();
      continue;
    }
    EXPECT_GT(report->damage, 0U);
    if (HasFailure()) return;
  }
  std::printf("750 whole checks after a flip: all found it, %llu by refusing to open\n",
              static_cast<unsigned long long>(refused));
}

INSTANTIATE_TEST_SUITE_P(Seeds, FlippedBit, ::testing::Range<std::uint64_t>(1, 5));

}  // namespace
}  // namespace pagevault::testing
