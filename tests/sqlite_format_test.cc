// The headers of SQLite's files: database, write-ahead log and its index.

#include <gtest/gtest.h>

#include "chunk_test_data.h"
#include "pagevault/base/codec.h"
#include "pagevault/sqlitesupport/database_header.h"
#include "pagevault/sqlitesupport/wal_format.h"
#include "pagevault/sqlitesupport/wal_index_header.h"

namespace pagevault {
namespace {

using namespace sqlitesupport;

void put32(Bytes& to, std::size_t at, std::uint32_t value) {
  store_be32(MutableBytes(to).subspan(at), value);
}

Bytes database_header() {
  Bytes header(100);
  const std::string_view magic("SQLite format 3\0", 16);
  std::copy_n(as_bytes(magic).begin(), 16, header.begin());
  const unsigned char fixed[] = {0x10, 0x00, 2, 2, 0, 64, 32, 32};
  std::copy_n(std::as_bytes(std::span(fixed)).begin(), 8, header.begin() + 16);
  put32(header, 24, 17);
  put32(header, 28, 1000);
  put32(header, 40, 5);
  put32(header, 60, 42);
  put32(header, 68, 0x12345678);
  put32(header, 92, 17);
  return header;
}

// A log's header as SQLite 3.40.1 wrote it on a little-endian machine.
Bytes wal_header(std::uint32_t magic = 0x377F0682) {
  Bytes header(32);
  put32(header, 0, magic);
  put32(header, 4, 3007000);
  put32(header, 8, 4096);
  put32(header, 12, 3);
  put32(header, 16, 0xDEADBEEF);
  put32(header, 20, 0x01020304);
  const WalChecksum sum = wal_checksum({}, ByteView(header).first(24), (magic & 1) != 0);
  put32(header, 24, sum[0]);
  put32(header, 28, sum[1]);
  return header;
}

Bytes index_head(std::uint16_t page_size = 4096) {
  Bytes copy(48);
  const auto at = [&copy](std::size_t offset) { return MutableBytes(copy).subspan(offset); };
  store_le32(at(0), 3007000);
  store_le32(at(8), 9);
  copy[12] = std::byte{1};
  store_le16(at(14), page_size);
  store_le32(at(16), 55);
  store_le32(at(20), 1000);
  store_le32(at(24), 0xAAAA);
  store_le32(at(28), 0xBBBB);
  store_be32(at(32), 0xDEADBEEF);
  store_be32(at(36), 0x01020304);
  const WalChecksum sum = wal_checksum({}, ByteView(copy).first(40), false);
  store_le32(at(40), sum[0]);
  store_le32(at(44), sum[1]);
  Bytes head = copy;
  append(head, copy);
  head.resize(kWalIndexHeadBytes);
  store_le32(MutableBytes(head).subspan(96), 33);
  return head;
}

TEST(DatabaseHeader, StatesWhatIdentifiesADatabaseAndItsVersion) {
  const auto header = parse_database_header(database_header());
  ASSERT_TRUE(header);
  EXPECT_EQ(header->page_size, 4096U);
  EXPECT_TRUE(header->uses_wal());
  EXPECT_EQ(header->change_counter, 17U);
  EXPECT_EQ(header->page_count, 1000U);
  EXPECT_EQ(header->schema_cookie, 5U);
  EXPECT_EQ(header->user_version, 42U);
  EXPECT_EQ(header->application_id, 0x12345678U);
}

TEST(DatabaseHeader, CountsThePagesOfTheFileWhenItsOwnCountIsStale) {
  DatabaseHeader header = *parse_database_header(database_header());
  EXPECT_EQ(page_count_of(header, 4096), 1000U);
  header.version_valid_for = 16;
  EXPECT_EQ(page_count_of(header, 4096 * 7), 7U);
  EXPECT_EQ(page_count_of(header, 4096 * 7 + 1), 8U);
  EXPECT_EQ(page_count_of(header, UINT64_MAX), 4294967294U);
  header.version_valid_for = header.change_counter;
  header.page_count = 0;
  EXPECT_EQ(page_count_of(header, 4096 * 3), 3U);
}

TEST(WalFormat, ReadsAHeaderInBothChecksumOrders) {
  for (const std::uint32_t magic : {0x377F0682U, 0x377F0683U}) {
    const auto header = parse_wal_header(wal_header(magic));
    ASSERT_TRUE(header) << header.error().message();
    EXPECT_EQ(header->page_size, 4096U);
    EXPECT_EQ(header->checkpoint_sequence, 3U);
    EXPECT_EQ(header->salt, (std::array<std::uint32_t, 2>{0xDEADBEEF, 0x01020304}));
    EXPECT_EQ(header->big_endian_checksums, magic == 0x377F0683U);
  }
}

// covers F6.6
TEST(WalFormat, WithAnyFlippedBitOfTheHeaderIsCorrupt) {
  Bytes header = wal_header();
  for (std::size_t bit = 0; bit < header.size() * 8; ++bit) {
    const std::byte mask{static_cast<unsigned char>(1U << (bit % 8))};
    header[bit / 8] ^= mask;
    const auto read = parse_wal_header(header);
    ASSERT_FALSE(read) << bit;
    EXPECT_EQ(read.error().code(), ErrorCode::Corrupt);
    header[bit / 8] ^= mask;
  }
  for (std::size_t length = 0; length < 32; ++length) {
    EXPECT_FALSE(parse_wal_header(ByteView(header).first(length)));
  }
}

TEST(WalFormat, PlacesFramesBeyondFourGigabytes) {
  EXPECT_EQ(wal_frame_offset(1, 4096), 32U);
  EXPECT_EQ(wal_frame_offset(3, 512), 32U + 2 * 536U);
  EXPECT_EQ(wal_frame_offset(0xFFFFFFFF, 65536), 32 + 0xFFFFFFFEULL * 65560);
}

TEST(WalIndexHead, StatesHowFarTheLogIsValidAndInTheFile) {
  const auto head = parse_wal_index_head(index_head());
  ASSERT_TRUE(head);
  EXPECT_EQ(head->header.frames, 55U);
  EXPECT_EQ(head->header.page_count, 1000U);
  EXPECT_EQ(head->header.page_size, 4096U);
  EXPECT_EQ(head->header.change, 9U);
  EXPECT_EQ(head->header.salt, (std::array<std::uint32_t, 2>{0xDEADBEEF, 0x01020304}));
  EXPECT_EQ(head->header.checksum, (WalChecksum{0xAAAA, 0xBBBB}));
  EXPECT_EQ(head->backfilled, 33U);
  EXPECT_EQ(parse_wal_index_head(index_head(1))->header.page_size, 65536U);
}

// covers F6.6
TEST(WalIndexHead, IsNothingWhileItsCopiesDifferOrItsChecksumIsWrong) {
  const Bytes good = index_head();
  for (std::size_t bit = 0; bit < 96 * 8; ++bit) {
    const std::byte mask{static_cast<unsigned char>(1U << (bit % 8))};
    Bytes bad = good;
    bad[bit / 8] ^= mask;
    EXPECT_FALSE(parse_wal_index_head(bad)) << bit;
    if (bit >= 48 * 8) continue;
    bad[48 + bit / 8] ^= mask;  // Both alike: the checksum tells.
    EXPECT_FALSE(parse_wal_index_head(bad)) << bit;
  }
  EXPECT_FALSE(parse_wal_index_head(Bytes(kWalIndexHeadBytes)));
  EXPECT_FALSE(parse_wal_index_head(ByteView(good).first(kWalIndexHeadBytes - 1)));
  EXPECT_FALSE(parse_wal_index_head(index_head(4095)));
}

// covers F6.6 S16
TEST(SqliteHeaders, SurviveMutations) {
  constexpr std::uint64_t kSeed = 61;
  test::SeededStream random(kSeed);
  const std::vector<Bytes> seeds = {database_header(), wal_header(), index_head()};
  for (int round = 0; round < 50'000; ++round) {
    Bytes input = seeds[random.below(seeds.size())];
    for (std::uint64_t edits = random.below(4); edits > 0; --edits) {
      input[random.below(input.size())] = static_cast<std::byte>(random.next());
    }
    input.resize(random.below(8) == 0 ? random.below(input.size()) : input.size());
    if (const auto header = parse_database_header(input)) {
      ASSERT_GE(header->page_size, 512U) << "seed " << kSeed << " round " << round;
    }
    parse_wal_header(input).ignore("must only not crash");
    static_cast<void>(parse_wal_index_head(input));
    if (input.size() >= kWalFrameHeaderBytes) {
      static_cast<void>(parse_wal_frame_header(input));
    }
  }
}

}  // namespace
}  // namespace pagevault
