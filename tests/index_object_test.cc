// Index objects: docs/format.md, 3 "Index object".

#include <gtest/gtest.h>

#include "pack_samples.h"

namespace pagevault::repo {
namespace {

template <class T>
ErrorCode code_of(const Result<T>& result) {
  if (!result) return result.error().code();
  ADD_FAILURE() << "succeeded";
  return ErrorCode::Cancelled;
}

BlobEntry random_entry(std::mt19937& random, PackContent content) {
  BlobEntry entry;
  entry.id = ChunkId::from_view(random_sample(32, static_cast<unsigned>(random())));
  entry.type = content == PackContent::Metadata ? BlobType::Metadata
               : random() % 10 == 0             ? BlobType::Dictionary
                                                : BlobType::Data;
  const unsigned encodings = entry.type == BlobType::Dictionary ? 2 : 4;
  entry.encoding = static_cast<Encoding>(1 + random() % encodings);
  entry.plain_bytes = static_cast<std::uint32_t>(1 + random() % 100'000);
  entry.stored_bytes = entry.plain_bytes + 16;
  if (entry.encoding != Encoding::Raw) entry.stored_bytes -= entry.plain_bytes / 2;
  if (has_base(entry.encoding)) {
    entry.base = ChunkId::from_view(random_sample(32, static_cast<unsigned>(random())));
  }
  return entry;
}

PackDirectory random_pack(std::mt19937& random) {
  PackDirectory pack;
  pack.info.id = PackId::from_view(random_sample(32, static_cast<unsigned>(random())));
  pack.info.content = static_cast<PackContent>(1 + random() % 2);
  pack.info.cipher = static_cast<Cipher>(1 + random() % 2);
  pack.info.key_mode = static_cast<KeyMode>(1 + random() % 2);
  pack.blobs.resize(1 + random() % 20);
  for (BlobEntry& blob : pack.blobs) blob = random_entry(random, pack.info.content);
  pack.info.file_bytes = pack_file_bytes(pack.blobs);
  return pack;
}

IndexObject random_index(unsigned seed) {
  std::mt19937 random(seed);
  IndexObject index;
  for (auto i = random() % 5; i > 0; --i) index.packs.push_back(random_pack(random));
  for (auto i = static_cast<unsigned>(random() % 3); i > 0; --i) {
    index.replaces.push_back(IndexId::from_view(random_sample(32, i)));
  }
  return index;
}

TEST(IndexObject, GivesBackWhatWasEncoded) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    const IndexObject index = random_index(seed);
    const auto decoded = decode_index_object(encode_index_object(index));
    ASSERT_TRUE(decoded) << "seed=" << seed << ": " << decoded.error().message();
    EXPECT_EQ(decoded->packs, index.packs) << "seed=" << seed;
    EXPECT_EQ(decoded->replaces, index.replaces) << "seed=" << seed;
  }
}

TEST(IndexObject, SaysOfAPackWhatThePackSaysOfItself) {
  PackBench bench;
  const PackDirectory written = bench.write({random_sample(5000, 1), random_sample(100, 2)});
  const auto decoded = decode_index_object(encode_index_object({{written}, {}}));
  ASSERT_TRUE(decoded) << decoded.error().message();
  EXPECT_EQ(decoded->packs.front(), written);
}

TEST(IndexObject, IsRefusedWhenCutOrExtended) {  // covers F5.2
  const Bytes body = encode_index_object(random_index(4));
  for (std::size_t length = 0; length < body.size(); ++length) {
    EXPECT_EQ(code_of(decode_index_object(ByteView(body).first(length))), ErrorCode::Corrupt)
        << "length " << length;
  }
  Bytes longer = body;
  longer.push_back(std::byte{0});
  EXPECT_EQ(code_of(decode_index_object(longer)), ErrorCode::Corrupt);
}

TEST(IndexObject, AllocatesNoMoreThanItsInputCanHold) {  // covers F6.3, S15, I14
  Encoder packs;
  packs.u8(1);
  packs.varint(std::uint64_t{1} << 60);
  EXPECT_EQ(code_of(decode_index_object(packs.view())), ErrorCode::Corrupt);
  Encoder replaces;
  replaces.u8(1);
  replaces.varint(0);
  replaces.varint(std::uint64_t{1} << 60);
  EXPECT_EQ(code_of(decode_index_object(replaces.view())), ErrorCode::Corrupt);
}

TEST(IndexObject, RefusesAPackWhoseLengthDoesNotFollowFromItsBlobs) {
  std::mt19937 random(1);
  PackDirectory pack = random_pack(random);
  pack.info.file_bytes += 1;
  EXPECT_EQ(code_of(decode_index_object(encode_index_object({{pack}, {}}))), ErrorCode::Corrupt);
}

TEST(IndexObject, RefusesBlobsOfAnotherContentThanTheirPacks) {
  std::mt19937 random(1);
  PackDirectory pack = random_pack(random);
  pack.info.content =
      pack.info.content == PackContent::Data ? PackContent::Metadata : PackContent::Data;
  EXPECT_EQ(code_of(decode_index_object(encode_index_object({{pack}, {}}))), ErrorCode::Corrupt);
}

TEST(IndexObject, RefusesAVersionItDoesNotKnow) {  // covers F9.2
  Bytes body = encode_index_object(random_index(4));
  body[0] = std::byte{2};
  EXPECT_EQ(code_of(decode_index_object(body)), ErrorCode::Unsupported);
}

TEST(IndexObject, SurvivesMutationsOfItsBytes) {  // covers S16
  unsigned accepted = 0;
  for (unsigned seed = 0; seed < 20'000; ++seed) {
    std::mt19937 random(seed);
    Bytes body = encode_index_object(random_index(seed % 50));
    for (auto i = 1 + random() % 3; i > 0; --i) {
      const std::size_t at = random() % body.size();
      switch (random() % 3) {
        case 0:
          body[at] ^= static_cast<std::byte>(1U << (random() % 8));
          break;
        case 1:
          body[at] = static_cast<std::byte>(random() % 2 == 0 ? 0xff : 0x80);
          break;
        default:
          body.erase(body.begin() + static_cast<std::ptrdiff_t>(at));
          break;
      }
      if (body.empty()) body.push_back(std::byte{1});
    }
    // What is accepted is canonical: it encodes to the same bytes.
    if (const auto decoded = decode_index_object(body)) {
      ++accepted;
      ASSERT_EQ(encode_index_object(*decoded), body) << "seed=" << seed;
    }
  }
  EXPECT_GT(accepted, 0U);  // Flips inside ids are another valid index.
}

}  // namespace
}  // namespace pagevault::repo
