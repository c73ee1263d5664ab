// Packs: what is written is read, and nothing else is. docs/format.md, 4.

#include <gtest/gtest.h>

#include "pack_samples.h"

namespace pagevault::repo {
namespace {

// Where fields are: of the header, and before the end.
constexpr std::size_t kKeyModeAt = 12;
constexpr std::size_t kReservedAt = 13;
constexpr std::size_t kSealedKeyAt = 80;

const std::vector<Bytes> kChunks{random_sample(300, 1), random_sample(1, 2), random_sample(70, 3)};

Result<PackDirectory> parse(const PackId& id, ByteView pack,
                            const RepositoryId& repository = kSampleRepository) {
  return parse_pack(golden_keys(), repository, id, pack);
}

template <class T>
ErrorCode code_of(const Result<T>& result) {
  if (!result) return result.error().code();
  ADD_FAILURE() << "succeeded";
  return ErrorCode::Cancelled;
}

/// True when the directory or at least one blob of the pack cannot be read, or reads as something
/// else than `chunks`.
bool shows_damage(const PackId& id, ByteView pack) {
  const auto directory = parse(id, pack);
  if (!directory) return true;
  PackInfo info;
  const auto aead = open_pack_header(golden_keys(), id, pack.first(kPackHeaderBytes), info);
  bool damaged = !aead || directory->blobs.size() != kChunks.size();
  for_each_blob(*directory, [&](const BlobLocation& where) {
    const auto plain = unseal_from(*aead, where, pack);
    damaged = damaged || !plain || *plain != kChunks[where.ordinal];
  });
  return damaged;
}

TEST(Padme, RoundsLengthsAsTheFormatSays) {
  // Computed by an independent Python program from docs/format.md, 4 "Padding".
  const std::vector<std::pair<std::uint64_t, std::uint64_t>> table{
      {1, 1},
      {2, 2},
      {3, 3},
      {8, 8},
      {9, 10},
      {15, 16},
      {17, 18},
      {33, 36},
      {63, 64},
      {65, 72},
      {100, 104},
      {257, 272},
      {1000, 1024},
      {1025, 1088},
      {4097, 4352},
      {65'535, 65'536},
      {65'537, 67'584},
      {1'000'000, 1'015'808},
      {1'048'577, 1'081'344},
      {16'777'217, 17'301'504},
      {33'554'432, 33'554'432},
      {33'554'433, 34'603'008},
      {200'000'001, 201'326'592},
      {1'099'511'627'777, 1'116'691'496'960}};
  for (const auto& [length, padded] : table) EXPECT_EQ(padme(length), padded) << length;
}

TEST(Padme, AddsAtMostTwelvePercentAndIsStable) {
  for (std::uint64_t length = 160; length < 100'000; ++length) {
    const std::uint64_t padded = padme(length);
    ASSERT_GE(padded, length);
    ASSERT_LE(100 * (padded - length), 12 * length) << length;
    ASSERT_EQ(padme(padded), padded) << length;
  }
}

TEST(Pack, GivesBackEveryBlobWithEitherCipherAndContent) {
  for (const Cipher cipher : {Cipher::Aes256Gcm, Cipher::XChaCha20Poly1305}) {
    for (const PackContent content : {PackContent::Data, PackContent::Metadata}) {
      PackBench bench;
      const PackDirectory written = bench.write(kChunks, content, cipher);
      const Bytes pack = bench.file(written.info.id);
      EXPECT_EQ(pack.size(), written.info.file_bytes);
      EXPECT_EQ(pack.size(), pack_file_bytes(written.blobs));
      const auto parsed = parse(written.info.id, pack);
      ASSERT_TRUE(parsed) << parsed.error().message();
      EXPECT_EQ(*parsed, written);
      const auto read =
          read_pack_directory(*bench.store, golden_keys(), kSampleRepository, written.info.id);
      ASSERT_TRUE(read) << read.error().message();
      EXPECT_EQ(*read, written);
      EXPECT_FALSE(shows_damage(written.info.id, pack));
    }
  }
}

TEST(Pack, IsReadBackWhenItsDirectoryIsLongerThanOneRead) {
  PackBench bench;
  std::vector<Bytes> chunks;
  for (unsigned i = 0; i < 3000; ++i) chunks.push_back(random_sample(1 + i % 50, i));
  const PackDirectory written = bench.write(chunks);
  const auto read =
      read_pack_directory(*bench.store, golden_keys(), kSampleRepository, written.info.id);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(*read, written);
}

TEST(Pack, KeepsEncodingAndBaseOfEveryBlob) {
  PackBench bench;
  const auto writer = bench.writer();
  std::vector<BlobEntry> entries;
  for (const Encoding encoding :
       {Encoding::Raw, Encoding::Zstd, Encoding::ZstdDictionary, Encoding::ZstdDelta}) {
    BlobEntry entry = raw_entry(BlobType::Data, kChunks[0]);
    entry.encoding = encoding;
    if (has_base(encoding)) entry.base = id_of<ChunkId>(0x42);
    const std::size_t stored = encoding == Encoding::Raw ? 300 : 100;
    ASSERT_TRUE(writer->add(entry, ByteView(kChunks[0]).first(stored)));
    entry.stored_bytes = static_cast<std::uint32_t>(stored + kTagBytes);
    entries.push_back(entry);
  }
  const PackDirectory written = writer->finish().value();
  EXPECT_EQ(written.blobs, entries);
  EXPECT_EQ(parse(written.info.id, bench.file(written.info.id)).value().blobs, entries);
}

TEST(Pack, ShowsEverySingleFlippedBit) {  // covers F5.1
  PackBench bench;
  const PackDirectory written = bench.write(kChunks);
  const Bytes pack = bench.file(written.info.id);
  for (std::size_t bit = 0; bit < 8 * pack.size(); ++bit) {
    ASSERT_FALSE(parse(written.info.id, with_bit_flipped(pack, bit))) << "bit " << bit;
  }
}

TEST(Pack, ShowsEverySingleFlippedBitToTheKeyEvenWhenTheChecksumIsForged) {  // covers F5.1, S1
  PackBench bench;
  const PackDirectory written = bench.write(kChunks);
  const Bytes pack = bench.file(written.info.id);
  for (std::size_t bit = 0; bit < 8 * (pack.size() - 8); ++bit) {
    const Bytes forged = with_checksum(with_bit_flipped(pack, bit));
    ASSERT_TRUE(shows_damage(written.info.id, forged)) << "bit " << bit;
  }
}

TEST(Pack, IsRefusedAtEveryOtherLength) {  // covers F5.2
  PackBench bench;
  const PackDirectory written = bench.write(kChunks);
  const Bytes pack = bench.file(written.info.id);
  for (std::size_t length = 0; length < pack.size(); ++length) {
    const Bytes cut(pack.begin(), pack.begin() + static_cast<std::ptrdiff_t>(length));
    ASSERT_EQ(code_of(parse(written.info.id, cut)), ErrorCode::Corrupt) << "length " << length;
  }
  Bytes longer = pack;
  longer.push_back(std::byte{0});
  EXPECT_EQ(code_of(parse(written.info.id, longer)), ErrorCode::Corrupt);
  EXPECT_EQ(code_of(parse(written.info.id, Bytes(pack.size()))), ErrorCode::Corrupt);
}

TEST(Pack, IsRefusedAtEveryOtherLengthAlsoWhenOnlyItsEndsAreRead) {  // covers F5.2
  PackBench bench;
  const PackDirectory written = bench.write(kChunks);
  const std::string path = "/repo/" + object_path({ObjectType::Pack, written.info.id.hex()});
  const SimDisk whole = bench.env.save();
  for (std::uint64_t length = 0; length < written.info.file_bytes; ++length) {
    bench.store.reset();
    bench.env.load(whole);
    bench.env.truncate(path, length);
    bench.env.write_file("/repo/config", "config");
    bench.store = open_directory_store(bench.env, "/repo").value();
    ASSERT_EQ(code_of(read_pack_directory(*bench.store, golden_keys(), kSampleRepository,
                                          written.info.id)),
              ErrorCode::Corrupt)
        << "length " << length;
  }
}

TEST(Pack, IsRefusedUnderAnotherName) {  // covers F5.3, S2
  PackBench bench;
  const PackDirectory a = bench.write(kChunks);
  const PackDirectory b = bench.write(kChunks);
  EXPECT_EQ(code_of(parse(b.info.id, bench.file(a.info.id))), ErrorCode::AuthFailed);
}

TEST(Pack, IsRefusedInAnotherRepository) {  // covers F5.3, S2
  PackBench bench;
  const PackDirectory a = bench.write(kChunks);
  const auto other = id_of<RepositoryId>(0x22);
  EXPECT_EQ(code_of(parse(a.info.id, bench.file(a.info.id), other)), ErrorCode::AuthFailed);
}

TEST(Pack, IsRefusedUnderAnotherMasterSecret) {  // covers F7.1, S6
  PackBench bench;
  const PackDirectory a = bench.write(kChunks);
  const KeySet others = KeySet::derive(MasterSecret(filled_secret(0x55)));
  EXPECT_EQ(code_of(parse_pack(others, kSampleRepository, a.info.id, bench.file(a.info.id))),
            ErrorCode::AuthFailed);
}

TEST(Pack, RefusesABlobInThePlaceOfAnother) {  // covers F5.3, S2
  PackBench bench;
  const std::vector<Bytes> equal_sizes{random_sample(100, 1), random_sample(100, 2)};
  const PackDirectory directory = bench.write(equal_sizes);
  Bytes pack = bench.file(directory.info.id);
  const auto first = pack.begin() + kPackHeaderBytes;
  std::swap_ranges(first, first + 116, first + 116);
  PackInfo info;
  const auto aead = open_pack_header(golden_keys(), directory.info.id,
                                     ByteView(pack).first(kPackHeaderBytes), info);
  ASSERT_TRUE(aead);
  for_each_blob(directory, [&](const BlobLocation& where) {
    EXPECT_EQ(code_of(unseal_from(*aead, where, pack)), ErrorCode::AuthFailed);
  });
}

TEST(Pack, BindsABlobToEverythingTheIndexSaysOfIt) {  // covers S1, F5.8
  PackBench bench;
  const PackDirectory directory = bench.write(kChunks);
  const Bytes pack = bench.file(directory.info.id);
  PackInfo info;
  const auto aead = open_pack_header(golden_keys(), directory.info.id,
                                     ByteView(pack).first(kPackHeaderBytes), info);
  BlobLocation truth{directory.info, 0, kPackHeaderBytes, directory.blobs[0]};
  ASSERT_TRUE(unseal_from(*aead, truth, pack));
  const std::vector<std::function<void(BlobLocation&)>> lies{
      [](BlobLocation& where) { where.ordinal = 1; },
      [](BlobLocation& where) { where.pack.id.bytes[0] ^= std::byte{1}; },
      [](BlobLocation& where) { where.entry.type = BlobType::Dictionary; },
      [](BlobLocation& where) { where.entry.encoding = Encoding::Zstd; },
      [](BlobLocation& where) { where.entry.plain_bytes += 1; },
      [](BlobLocation& where) { where.entry.id.bytes[31] ^= std::byte{1}; },
      [](BlobLocation& where) { where.entry.base.bytes[31] ^= std::byte{1}; }};
  for (const auto& lie : lies) {
    BlobLocation where = truth;
    lie(where);
    EXPECT_EQ(code_of(unseal_from(*aead, where, pack)), ErrorCode::AuthFailed);
  }
}

TEST(Pack, DiffersFromEveryOtherPackOfTheSameContent) {  // covers I13, S6
  PackBench bench;
  const PackDirectory a = bench.write(kChunks);
  const PackDirectory b = bench.write(kChunks);
  EXPECT_NE(a.info.id, b.info.id);
  EXPECT_EQ(a.blobs, b.blobs);
  const Bytes pack_a = bench.file(a.info.id);
  const Bytes pack_b = bench.file(b.info.id);
  EXPECT_FALSE(std::equal(pack_a.begin() + kPackHeaderBytes, pack_a.begin() + 460,
                          pack_b.begin() + kPackHeaderBytes));
}

TEST(Pack, WithSealedKeysIsUnsupportedAndReservedBytesAreZero) {  // covers F9.2, S12
  PackBench bench;
  const PackDirectory written = bench.write(kChunks);
  const Bytes pack = bench.file(written.info.id);
  const auto with_byte = [&](std::size_t at, int value) {
    Bytes changed = pack;
    changed[at] = static_cast<std::byte>(value);
    return code_of(parse(written.info.id, with_checksum(changed)));
  };
  EXPECT_EQ(with_byte(kKeyModeAt, 2), ErrorCode::Unsupported);
  EXPECT_EQ(with_byte(kKeyModeAt, 3), ErrorCode::Unsupported);
  EXPECT_EQ(with_byte(8, 2), ErrorCode::Unsupported);   // Version.
  EXPECT_EQ(with_byte(10, 3), ErrorCode::Unsupported);  // Content.
  EXPECT_EQ(with_byte(11, 9), ErrorCode::Unsupported);  // Cipher.
  EXPECT_EQ(with_byte(0, 'X'), ErrorCode::Corrupt);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(with_byte(kReservedAt + i, 1), ErrorCode::Corrupt);
  for (std::size_t i = 0; i < 80; ++i) {
    EXPECT_EQ(with_byte(kSealedKeyAt + i, 1), ErrorCode::Corrupt);
  }
}

TEST(Pack, MustHavePaddingOfZeros) {
  PackBench bench;
  std::vector<Bytes> chunks{random_sample(100'000, 1)};
  const PackDirectory written = bench.write(chunks);
  Bytes pack = bench.file(written.info.id);
  pack[pack.size() - kPackTrailerBytes - 1] = std::byte{1};
  ASSERT_EQ(code_of(parse(written.info.id, with_checksum(pack))), ErrorCode::Corrupt);
}

TEST(Pack, IsDeadAfterTheFirstError) {  // covers F2.3, S6
  PackBench bench;
  const auto writer = bench.writer();
  const Bytes chunk = random_sample(2 * kMiB, 1);
  const SimFault write_fails{.kinds = {.read = false, .sync = false, .name = false}};
  bench.env.fail_call(write_fails);
  EXPECT_EQ(code_of(writer->add(raw_entry(BlobType::Data, chunk), chunk)), ErrorCode::Io);
  EXPECT_EQ(code_of(writer->add(raw_entry(BlobType::Data, chunk), chunk)), ErrorCode::Io);
  EXPECT_EQ(code_of(writer->finish()), ErrorCode::Io);
  EXPECT_TRUE(bench.store->list(ObjectType::Pack)->objects.empty());
}

TEST(Pack, IsFullAtTheLimitOfBlobs) {  // covers S15
  PackBench bench;
  const auto writer = bench.writer();
  const Bytes chunk = random_sample(1, 1);
  const BlobEntry entry = raw_entry(BlobType::Data, chunk);
  while (!writer->full()) ASSERT_TRUE(writer->add(entry, chunk));
  EXPECT_EQ(writer->blobs(), kPackBlobsMax);
  const PackDirectory written = writer->finish().value();
  EXPECT_EQ(read_pack_directory(*bench.store, golden_keys(), kSampleRepository, written.info.id)
                .value()
                .blobs.size(),
            kPackBlobsMax);
}

TEST(BlobEntry, IsRefusedWhenItBreaksTheFormat) {  // covers F6.3, S15
  BlobEntry good = raw_entry(BlobType::Data, kChunks[0]);
  good.stored_bytes = good.plain_bytes + 16;
  const auto verdict = [&](const std::function<void(BlobEntry&)>& change) {
    BlobEntry entry = good;
    change(entry);
    Encoder out;
    encode_blob_entry(out, entry);
    Decoder in(out.view(), "blob");
    return code_of(decode_blob_entry(in));
  };
  const auto zstd = [](BlobEntry& e) { e.encoding = Encoding::Zstd; };
  EXPECT_EQ(verdict([](BlobEntry& e) { e.plain_bytes = 0; }), ErrorCode::Corrupt);
  EXPECT_EQ(verdict([](BlobEntry& e) { e.plain_bytes = kChunkBytesMax + 1; }), ErrorCode::Corrupt);
  EXPECT_EQ(verdict([](BlobEntry& e) { e.stored_bytes -= 1; }), ErrorCode::Corrupt);
  EXPECT_EQ(verdict([&](BlobEntry& e) { zstd(e), e.stored_bytes = 16; }), ErrorCode::Corrupt);
  EXPECT_EQ(verdict([&](BlobEntry& e) { zstd(e), e.stored_bytes += 1; }), ErrorCode::Corrupt);
  EXPECT_EQ(verdict([](BlobEntry& e) { e.encoding = Encoding::ZstdDelta; }), ErrorCode::Corrupt);
  EXPECT_EQ(verdict([](BlobEntry& e) { e.encoding = Encoding::ZstdDelta, e.base = e.id; }),
            ErrorCode::Corrupt);
  EXPECT_EQ(verdict([](BlobEntry& e) {
              e.type = BlobType::Dictionary, e.encoding = Encoding::ZstdDelta;
              e.base = id_of<ChunkId>(1);
            }),
            ErrorCode::Corrupt);
  EXPECT_EQ(verdict([](BlobEntry& e) { e.type = static_cast<BlobType>(4); }),
            ErrorCode::Unsupported);
  EXPECT_EQ(verdict([](BlobEntry& e) { e.encoding = static_cast<Encoding>(5); }),
            ErrorCode::Unsupported);
}

}  // namespace
}  // namespace pagevault::repo
