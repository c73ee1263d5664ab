// Recognising page files: SQLite headers, PostgreSQL relation names and pg_control.

#include "pagevault/sqlitesupport/page_size.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "chunk_test_data.h"
#include "pagevault/pgsupport/relation_files.h"

namespace pagevault {
namespace {

using pgsupport::block_size_from_control;
using pgsupport::is_relation_file;
using sqlitesupport::sqlite_page_size;

Bytes sqlite_header(std::uint32_t page_size) {
  Bytes header(100);
  const std::string_view magic("SQLite format 3\0", 16);
  std::copy_n(as_bytes(magic).begin(), 16, header.begin());
  const std::uint32_t stored = page_size == 65536 ? 1 : page_size;
  header[16] = static_cast<std::byte>(stored >> 8);
  header[17] = static_cast<std::byte>(stored);
  header[18] = header[19] = std::byte{1};
  header[21] = std::byte{64};
  header[22] = header[23] = std::byte{32};
  return header;
}

Bytes read_golden(const std::string& name) {
  std::ifstream in(std::string(PAGEVAULT_GOLDEN_DIR) + "/pg_control/" + name, std::ios::binary);
  std::ostringstream content;
  content << in.rdbuf();
  return to_bytes(as_bytes(content.str()));
}

TEST(SqlitePageSize, IsReadForEveryPowerOfTwoFrom512To65536) {
  for (std::uint32_t size = 512; size <= 65536; size *= 2) {
    EXPECT_EQ(sqlite_page_size(sqlite_header(size)), size);
  }
}

TEST(SqlitePageSize, IsRefusedWhenItIsNoPowerOfTwoOrOutOfRange) {
  for (const std::uint32_t size : {0U, 2U, 256U, 511U, 513U, 1000U, 3072U, 65535U}) {
    EXPECT_EQ(sqlite_page_size(sqlite_header(size)), std::nullopt) << size;
  }
}

TEST(SqlitePageSize, IsRefusedWhenTheFixedFieldsOfTheHeaderDiffer) {
  for (const std::size_t offset : {0U, 14U, 15U, 21U, 22U, 23U, 72U, 91U}) {
    Bytes header = sqlite_header(4096);
    header[offset] ^= std::byte{1};
    EXPECT_EQ(sqlite_page_size(header), std::nullopt) << offset;
  }
}

TEST(SqlitePageSize, IsRefusedWhenTooLittleOfAPageWouldBeUsable) {
  Bytes header = sqlite_header(512);
  header[20] = std::byte{32};
  EXPECT_EQ(sqlite_page_size(header), 512U);
  header[20] = std::byte{33};
  EXPECT_EQ(sqlite_page_size(header), std::nullopt);
}

TEST(SqlitePageSize, NeedsTheWholeHeader) {
  const Bytes header = sqlite_header(4096);
  for (std::size_t length = 0; length < header.size(); ++length) {
    EXPECT_EQ(sqlite_page_size(ByteView(header).first(length)), std::nullopt);
  }
}

TEST(RelationFile, IsAnyForkAndSegmentInTheDirectoriesOfDatabases) {
  for (const std::string_view path :
       {"base/1/1259", "base/16384/16385", "base/5/2619_fsm", "base/5/2619_vm", "base/5/16399_init",
        "base/5/16384.1", "base/5/16384_vm.12", "base/5/16384_init.1", "base/5/t3_16384",
        "base/5/t0_16384_fsm.2", "global/1262", "global/1262_vm", "global/1260.3",
        "base/4294967295/4294967295", "pg_tblspc/16390/PG_15_202209061/5/16391",
        "pg_tblspc/16390/PG_17_202406281/5/t12_16391_vm.4"}) {
    EXPECT_TRUE(is_relation_file(path)) << path;
  }
}

TEST(RelationFile, IsNothingElseInADataDirectory) {
  for (const std::string_view path : {"",
                                      "/",
                                      "base",
                                      "base/",
                                      "base/1",
                                      "base/1/",
                                      "base//1259",
                                      "base/1/1259/",
                                      "base/1/12/59",
                                      "base/1/PG_VERSION",
                                      "base/1/pg_filenode.map",
                                      "base/1/pg_internal.init",
                                      "global/pg_control",
                                      "global/pg_filenode.map",
                                      "global/pg_internal.init",
                                      "PG_VERSION",
                                      "base/pgsql_tmp/1234",
                                      "base/pgsql_tmp/pgsql_tmp123.4",
                                      "pg_wal/000000010000000000000001",
                                      "pg_xact/0000",
                                      "pg_multixact/offsets/0000",
                                      "1259",
                                      "base/01/1259",
                                      "base/1/01259",
                                      "base/1/0",
                                      "base/1/4294967296",
                                      "base/1/1259.0",
                                      "base/1/1259.01",
                                      "base/1/1259.",
                                      "base/1/1259_",
                                      "base/1/1259_vm_fsm",
                                      "base/1/1259_VM",
                                      "base/1/1259.1_vm",
                                      "base/1/-1259",
                                      "base/1/+1259",
                                      "base/1/ 1259",
                                      "base/1/t_1259",
                                      "base/1/t3_",
                                      "base/1/t3",
                                      "base/1/t03_1259",
                                      "base/1/INCREMENTAL.1259",
                                      "pg_tblspc/16390",
                                      "pg_tblspc/16390/16391",
                                      "pg_tblspc/16390/PG_/5/1",
                                      "pg_tblspc/16390/15/5/16391",
                                      "pg_tblspc/x/PG_15_1/5/16391",
                                      "pg_tblspc/16390/PG_15_1/16391",
                                      "other/1/1259"}) {
    EXPECT_FALSE(is_relation_file(path)) << path;
  }
}

std::string parsed(std::string_view path) {
  const auto file = pgsupport::parse_relation_file(path);
  if (!file) return "nothing";
  return fmt::format("{}/{}/{} fork {} segment {}{}", file->tablespace, file->database,
                     file->relation, file->fork, file->segment, file->temporary ? " temp" : "");
}

TEST(RelationFile, SaysByItsPathWhatItHolds) {
  EXPECT_EQ(parsed("base/5/16384"), "1663/5/16384 fork 0 segment 0");
  EXPECT_EQ(parsed("base/5/16384_fsm.1"), "1663/5/16384 fork 1 segment 1");
  EXPECT_EQ(parsed("base/5/16384_vm.12"), "1663/5/16384 fork 2 segment 12");
  EXPECT_EQ(parsed("base/5/16384_init"), "1663/5/16384 fork 3 segment 0");
  EXPECT_EQ(parsed("base/5/t3_16384.7"), "1663/5/16384 fork 0 segment 7 temp");
  EXPECT_EQ(parsed("global/1262"), "1664/0/1262 fork 0 segment 0");
  EXPECT_EQ(parsed("pg_tblspc/16390/PG_17_202406281/5/t0_16391_vm.4"),
            "16390/5/16391 fork 2 segment 4 temp");
  EXPECT_EQ(parsed("global/pg_control"), "nothing");
}

TEST(PgControl, OfRealServersStatesTheirBlockSize) {
  for (const std::string name : {"postgresql-15.bin", "postgresql-17.bin"}) {
    const auto size = block_size_from_control(read_golden(name));
    ASSERT_TRUE(size) << name << ": " << size.error().message();
    EXPECT_EQ(*size, 8192U);
  }
}

// covers F6.5
TEST(PgControl, WithAnyFlippedBitIsCorruptOrOfAnUnknownVersion) {
  Bytes control = read_golden("postgresql-17.bin");
  for (std::size_t bit = 0; bit < 292 * 8; ++bit) {
    const std::byte mask{static_cast<unsigned char>(1U << (bit % 8))};
    control[bit / 8] ^= mask;
    const auto size = block_size_from_control(control);
    if (size) {
      EXPECT_TRUE(bit / 8 >= 8 && bit / 8 < 12) << bit;
    } else {
      EXPECT_EQ(size.error().code(), ErrorCode::Corrupt);
    }
    control[bit / 8] ^= mask;
  }
}

TEST(PgControl, CutShortIsCorrupt) {
  const Bytes control = read_golden("postgresql-15.bin");
  for (std::size_t length = 0; length < 292; ++length) {
    EXPECT_FALSE(block_size_from_control(ByteView(control).first(length))) << length;
  }
  EXPECT_TRUE(block_size_from_control(ByteView(control).first(292)));
}

TEST(PgControl, OfAnUnknownVersionAnswersTheDefault) {
  Bytes control(8192);
  store_le32(MutableBytes(control).subspan(8), 2500);
  EXPECT_EQ(block_size_from_control(control).value(), pgsupport::kBlockSizeDefault);
}

// covers F6.5 F6.6 S16
TEST(PageSizes, SurviveMutatedHeaders) {
  constexpr std::uint64_t kSeed = 60;
  test::SeededStream random(kSeed);
  const std::vector<Bytes> seeds = {sqlite_header(4096), read_golden("postgresql-15.bin"),
                                    to_bytes(as_bytes("pg_tblspc/16390/PG_15_2/5/t3_16391_vm.4"))};
  for (int round = 0; round < 100'000; ++round) {
    Bytes input = seeds[random.below(seeds.size())];
    for (std::uint64_t edits = random.below(4); edits > 0; --edits) {
      input[random.below(std::min<std::size_t>(input.size(), 300))] =
          static_cast<std::byte>(random.next());
    }
    input.resize(random.below(8) == 0 ? random.below(input.size()) : input.size());
    const auto sqlite = sqlite_page_size(input);
    ASSERT_TRUE(!sqlite || (*sqlite >= 512 && *sqlite <= 65536))
        << "seed " << kSeed << " round " << round;
    const auto control = block_size_from_control(input);
    ASSERT_TRUE(!control || (*control >= 1024 && *control <= 32768))
        << "seed " << kSeed << " round " << round;
    static_cast<void>(is_relation_file(as_text(input)));
  }
}

}  // namespace
}  // namespace pagevault
