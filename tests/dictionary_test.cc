// Dictionaries: encoding 3 as writers make it, when a dictionary pays, and where a file's comes
// from. docs/adr/0009-dictionaries.md.

#include "engine_fixture.h"
#include "pagevault/repo/chunk_codec.h"
#include "pagevault/repo/source_dictionary.h"

namespace pagevault::testing {

namespace {

using repo::SourceDictionary;

/// Rows of words: what one chunk has, others have, too.
Bytes wordy_bytes(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 vocabulary(1);
  std::vector<std::string> words(3000);
  for (std::string& word : words) {
    for (std::uint64_t i = 0; i < 6 + vocabulary() % 8; ++i) {
      word += static_cast<char>('a' + vocabulary() % 26);
    }
  }
  std::mt19937_64 random(seed);
  std::string out;
  out.reserve(size + 100);
  while (out.size() < size) out += words[random() % words.size()] + " ";
  out.resize(size);
  return to_bytes(as_bytes(out));
}

/// A SQLite file by its first bytes, with such rows.
Bytes wordy_database(std::size_t size) {
  Bytes out = wordy_bytes(size, 1);
  const Bytes head = fake_database(1, 4096, 1);
  std::copy(head.begin(), head.begin() + 100, out.begin());
  return out;
}

SourceDictionary::Content content_of(Bytes bytes) {
  SourceDictionary::Content out;
  out.id.bytes.fill(std::byte{1});
  out.bytes = std::move(bytes);
  return out;
}

TEST(ChunkEncoder, ADictionaryMakesChunksLikeItSmallerAndTheyComeBack) {
  const auto dictionary = content_of(wordy_bytes(256 * kKiB, 1));
  repo::ChunkEncoder encoder(repo::Compression::Auto);
  repo::ChunkDecoder decoder;
  ASSERT_TRUE(encoder.uses_dictionaries());
  for (const std::size_t size : {std::size_t{100}, std::size_t{4096}, 64 * kKiB, 300 * kKiB}) {
    const Bytes plain = wordy_bytes(size, 2);
    const std::size_t without = encoder.encode(plain).value().bytes.size();
    const auto encoded = encoder.encode_with(dictionary, plain);
    ASSERT_TRUE(encoded) << encoded.error().message();
    EXPECT_EQ(encoded->encoding, repo::Encoding::ZstdDictionary);
    EXPECT_LT(encoded->bytes.size(), without) << "size=" << size;
    Bytes decoded(size);
    ASSERT_TRUE(decoder.decode(encoded->encoding, encoded->bytes, dictionary.bytes, decoded));
    EXPECT_TRUE(decoded == plain);
  }
}

TEST(ChunkEncoder, WhatDoesNotCompressIsRawWithADictionaryToo) {
  repo::ChunkEncoder encoder(repo::Compression::Better);
  const Bytes noise = random_bytes(64 * kKiB, 3);
  const auto encoded = encoder.encode_with(content_of(wordy_bytes(64 * kKiB, 1)), noise);
  ASSERT_TRUE(encoded);
  EXPECT_EQ(encoded->encoding, repo::Encoding::Raw);
  EXPECT_TRUE(equal_bytes(encoded->bytes, noise));
}

TEST(ChunkEncoder, GoesFromOneDictionaryToAnotherAndBack) {
  auto first = content_of(wordy_bytes(100 * kKiB, 1));
  auto second = content_of(random_bytes(100 * kKiB, 2));
  second.id.bytes.fill(std::byte{2});
  repo::ChunkEncoder encoder(repo::Compression::Auto);
  repo::ChunkDecoder decoder;
  for (const auto* dictionary : {&first, &second, &first}) {
    const Bytes plain = wordy_bytes(50'000, 3);
    const auto encoded = encoder.encode_with(*dictionary, plain);
    ASSERT_TRUE(encoded);
    Bytes decoded(plain.size());
    ASSERT_TRUE(decoder.decode(encoded->encoding, encoded->bytes, dictionary->bytes, decoded));
    EXPECT_TRUE(decoded == plain);
  }
}

TEST(SourceDictionary, IsStoredOnceAndOnlyWhenItIsUsed) {
  SourceDictionary dictionary(to_bytes(as_bytes("some content")));
  int stored = 0;
  const SourceDictionary::Access access{
      .store = [&](ByteView) -> Result<ChunkId> {
        ++stored;
        return content_of({}).id;
      },
      .read = [](const ChunkId&) -> Result<Bytes> { return Error(ErrorCode::Io, "not asked"); }};
  EXPECT_EQ(stored, 0);
  for (int i = 0; i < 3; ++i) {
    const auto content = dictionary.content(access);
    ASSERT_TRUE(content && *content);
    EXPECT_EQ((*content)->id, content_of({}).id);
  }
  EXPECT_EQ(stored, 1);
}

TEST(SourceDictionary, ThatCannotBeReadIsGoneOnWithout) {  // covers F5.4
  SourceDictionary dictionary(content_of({}).id);
  const auto content = dictionary.content(
      {.store = [](ByteView) -> Result<ChunkId> { return ChunkId{}; },
       .read = [](const ChunkId&) -> Result<Bytes> { return Error(ErrorCode::Corrupt, "bad"); }});
  ASSERT_TRUE(content);
  EXPECT_EQ(*content, nullptr);
  EXPECT_TRUE(dictionary.is_unreadable());
  EXPECT_FALSE(dictionary.pays());
}

TEST(SourceDictionary, IsNotReadForTheFewChunksThatASmallStepStores) {
  SourceDictionary stored(content_of({}).id);
  EXPECT_FALSE(stored.is_worth_reading(60 * kKiB));
  EXPECT_FALSE(stored.is_worth_reading(80 * kKiB));
  EXPECT_TRUE(stored.is_worth_reading(1));
  SourceDictionary fresh(Bytes(10));
  EXPECT_TRUE(fresh.is_worth_reading(1)) << "it is at hand";
}

TEST(SourceDictionary, PaysWhileProbesSayThatItSavesTwoPercentAndAHundredthOfThePlainBytes) {
  SourceDictionary dictionary(Bytes(10));
  int probes = 0;
  for (int i = 0; i < 640; ++i) probes += dictionary.is_probe() ? 1 : 0;
  EXPECT_EQ(probes, 10);
  const auto judge = [&](std::size_t plain, std::size_t with, std::size_t without) {
    for (int i = 0; i < 8; ++i) dictionary.add_probe({plain, with, without});
    return dictionary.pays();
  };
  EXPECT_TRUE(judge(2000, 900, 1000));
  EXPECT_FALSE(judge(1200, 985, 1000)) << "not like it";
  EXPECT_TRUE(judge(2000, 980, 1000)) << "later parts of a file may be like it again";
  EXPECT_FALSE(judge(30'000, 750, 1000)) << "small without it";
  EXPECT_TRUE(judge(25'000, 750, 1000));
}

/// A file that is just long enough to have a dictionary.
class EngineDictionary : public ::testing::Test {
 protected:
  static constexpr std::size_t kSize = 66 * kMiB;

  void SetUp() override {
    ASSERT_TRUE(vault.init());
    env.write_file("/src/a.db", wordy_database(kSize));
    env.advance_time(10'000'000'000);
  }

  SnapshotId backup() {
    Recorder recorder;
    const auto report = vault.backup(vault.request({"/src"}), recorder);
    EXPECT_TRUE(report) << report.error().message();
    return report ? *report->snapshot : SnapshotId{};
  }

  struct Counts {
    std::size_t dictionaries = 0;
    std::size_t with_dictionary = 0;
    std::size_t deltas = 0;
  };
  Counts count() {
    Counts out;
    const auto workspace = std::move(vault.open().value());
    EXPECT_TRUE(workspace->index().for_each_blob([&](const repo::BlobLocation& place) {
      out.dictionaries += place.entry.type == repo::BlobType::Dictionary ? 1 : 0;
      out.with_dictionary += place.entry.encoding == repo::Encoding::ZstdDictionary ? 1 : 0;
      out.deltas += place.entry.encoding == repo::Encoding::ZstdDelta ? 1 : 0;
    }));
    return out;
  }

  SimEnv env;
  Vault vault{env};
};

TEST_F(EngineDictionary, ALongFileGetsOneAndItsNextVersionUsesIt) {
  backup();
  const Counts first = count();
  EXPECT_EQ(first.dictionaries, 1U);
  EXPECT_GT(first.with_dictionary, 500U);
  Bytes database = *env.read_file("/src/a.db");
  const Bytes fresh = wordy_bytes(2 * kMiB, 77);  // New pages, and one row changed.
  std::ranges::copy(fresh, database.begin() + static_cast<std::ptrdiff_t>(20 * kMiB));
  database[40 * kMiB] ^= std::byte{1};
  env.write_file("/src/a.db", database);
  env.advance_time(10'000'000'000);
  const SnapshotId second = backup();
  const Counts then = count();
  EXPECT_EQ(then.dictionaries, 1U);
  EXPECT_GE(then.with_dictionary, first.with_dictionary + 15);
  EXPECT_GE(then.deltas, 1U) << "a delta of a chunk that has a dictionary";
  ASSERT_TRUE(vault.restore(second, "/src", "/out"));
  EXPECT_TRUE(*env.read_file("/out/a.db") == database);
  Recorder recorder;
  const auto check = vault.check(recorder);
  ASSERT_TRUE(check);
  EXPECT_EQ(check->damage, 0U) << recorder.text();
}

TEST_F(EngineDictionary, AStepOfOneNewChunkDoesNotReadIt) {
  backup();
  const Counts first = count();
  Bytes database = *env.read_file("/src/a.db");
  append(database, wordy_bytes(32 * kKiB, 77));  // Pages at the end, like no chunk before.
  env.write_file("/src/a.db", database);
  env.advance_time(10'000'000'000);
  const SnapshotId second = backup();
  EXPECT_EQ(count().with_dictionary, first.with_dictionary);
  ASSERT_TRUE(vault.restore(second, "/src", "/out"));
  EXPECT_TRUE(*env.read_file("/out/a.db") == database);
}

TEST_F(EngineDictionary, ALostDictionaryCostsWhatItEncodedAndTheNextBackupStoresThatAgain) {
  backup();  // covers F5.4
  std::string path;
  const auto workspace = std::move(vault.open().value());
  ASSERT_TRUE(workspace->index().for_each_blob([&](const repo::BlobLocation& place) {
    if (place.entry.type != repo::BlobType::Dictionary) return;
    path = "/repo/" + repo::object_path({repo::ObjectType::Pack, place.pack.id.hex()});
  }));
  env.remove(path);
  const SnapshotId again = backup();
  ASSERT_TRUE(vault.restore(again, "/src", "/out"));
  EXPECT_TRUE(*env.read_file("/out/a.db") == *env.read_file("/src/a.db"));
}

}  // namespace

}  // namespace pagevault::testing
