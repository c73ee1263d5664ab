// The formats of PostgreSQL's base backups, against files that servers wrote
// (tests/golden/postgres) and everything that may be wrong with them. covers F6.5, S15

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <sstream>

#include "page_checksum_kernel.h"
#include "pagevault/base/codec.h"
#include "pagevault/base/crc32c.h"
#include "pagevault/pgsupport/backup_label.h"
#include "pagevault/pgsupport/backup_manifest.h"
#include "pagevault/pgsupport/control_file.h"
#include "pagevault/pgsupport/incremental_file.h"
#include "pagevault/pgsupport/page_check.h"
#include "pagevault/pgsupport/wal_summary.h"

namespace pagevault::pgsupport {
namespace {

std::string golden(const std::string& name) {
  std::ifstream in(std::string(PAGEVAULT_GOLDEN_DIR) + "/" + name, std::ios::binary);
  EXPECT_TRUE(in.good()) << name;
  std::ostringstream content;
  content << in.rdbuf();
  return content.str();
}

Bytes golden_bytes(const std::string& name) { return to_bytes(as_bytes(golden(name))); }

// ---- positions ------------------------------------------------------------------------------

TEST(PostgresLsn, IsReadAndWrittenAsTheServerDoes) {
  EXPECT_EQ(parse_lsn("1/6A3F0028")->value, 0x16A3F0028U);
  EXPECT_EQ(parse_lsn("FFFFFFFF/ffffffff")->value, UINT64_MAX);
  EXPECT_EQ(to_text(Lsn{0x16A3F0028}), "1/6A3F0028");
  EXPECT_EQ(to_text(Lsn{0x28}), "0/28");
}

TEST(PostgresLsn, RefusesWhatIsNone) {
  for (const auto* text : {"", "/", "1", "1/", "/1", "123456789/0", "0/123456789", "0x1/0", "1/G",
                           "1/2/3", " 1/2", "-1/2"}) {
    EXPECT_FALSE(parse_lsn(text)) << text;
  }
}

TEST(PostgresWal, SegmentsAreNamedByTimelineAndNumber) {
  constexpr std::uint32_t k16 = 16 * kMiB;
  EXPECT_EQ(wal_segment_name({1}, Lsn{0x16000028}, k16), "000000010000000000000016");
  EXPECT_EQ(wal_segment_name({0xAB}, Lsn{0x3FF000000}, k16), "000000AB00000003000000FF");
  EXPECT_EQ(wal_segment_name({1}, Lsn{0x100000000}, kGiB), "000000010000000100000000");
  EXPECT_TRUE(is_wal_segment_name("000000010000000000000016"));
  EXPECT_FALSE(is_wal_segment_name("000000010000000000000016.partial"));
  EXPECT_FALSE(is_wal_segment_name("00000001000000000000001a"));
}

// ---- pg_control -----------------------------------------------------------------------------

TEST(PostgresControlFile, OfVersion17IsReadWhole) {
  const auto control = parse_control_file(golden_bytes("pg_control/postgresql-17.bin"));
  ASSERT_TRUE(control) << control.error().message();
  EXPECT_EQ(control->control_version, 1700U);
  EXPECT_NE(control->system_identifier, 0U);
  EXPECT_EQ(control->block_bytes, 8192U);
  EXPECT_EQ(control->segment_blocks, 131072U);
  EXPECT_EQ(control->wal_segment_bytes, 16 * kMiB);
  EXPECT_EQ(control->timeline.value, 1U);
  EXPECT_LE(control->redo, control->checkpoint);
}

TEST(PostgresControlFile, OfVersion15IsReadWhole) {
  const auto control = parse_control_file(golden_bytes("pg_control/postgresql-15.bin"));
  ASSERT_TRUE(control) << control.error().message();
  EXPECT_EQ(control->control_version, 1300U);
}

TEST(PostgresControlFile, EveryChangedBitBeforeItsChecksumIsFound) {
  const Bytes whole = golden_bytes("pg_control/postgresql-17.bin");
  for (std::size_t at = 0; at < 292; ++at) {
    Bytes bytes = whole;
    bytes[at] ^= std::byte{0x10};
    EXPECT_FALSE(parse_control_file(bytes)) << at;
  }
}

TEST(PostgresControlFile, CutOffAnywhereIsRefused) {
  const Bytes whole = golden_bytes("pg_control/postgresql-17.bin");
  for (std::size_t size = 0; size < 292; ++size) {
    EXPECT_FALSE(parse_control_file(ByteView(whole).first(size))) << size;
  }
}

TEST(PostgresControlFile, OfAnUnknownVersionIsUnsupportedAndImpossibleSizesAreCorrupt) {
  const auto with = [](std::size_t at, std::uint32_t value) {
    Bytes bytes = golden_bytes("pg_control/postgresql-17.bin");
    store_le32(MutableBytes(bytes).subspan(at), value);
    store_le32(MutableBytes(bytes).subspan(288), crc32c(ByteView(bytes).first(288)));
    return parse_control_file(bytes);
  };
  EXPECT_EQ(with(8, 1900).error().code(), ErrorCode::Unsupported);
  for (const std::uint32_t blocks : {0U, 512U, 8191U, 65536U}) {
    EXPECT_EQ(with(216, blocks).error().code(), ErrorCode::Corrupt) << blocks;
  }
  for (const std::uint32_t blocks : {0U, kSegmentBlocksMax + 1}) {  // covers S15
    EXPECT_EQ(with(220, blocks).error().code(), ErrorCode::Corrupt) << blocks;
  }
  EXPECT_TRUE(with(220, kSegmentBlocksMax));
  EXPECT_EQ(with(228, 3 * kMiB).error().code(), ErrorCode::Corrupt);
  EXPECT_TRUE(with(216, 32768));
}

// ---- backup_label, tablespace_map -----------------------------------------------------------

TEST(PostgresBackupLabel, OfAnIncrementalIsRead) {
  const auto label = parse_backup_label(golden("postgres/backup_label.17-incremental"));
  ASSERT_TRUE(label) << label.error().message();
  EXPECT_EQ(label->start, (WalPoint{{1}, {0x16000028}}));
  EXPECT_EQ(label->start_segment, "000000010000000000000016");
  EXPECT_EQ(label->checkpoint.value, 0x16000080U);
  EXPECT_FALSE(label->from_standby);
  EXPECT_EQ(label->label, "pg_basebackup base backup");
  EXPECT_EQ(label->incremental_from, (WalPoint{{1}, {0x11000028}}));
}

TEST(PostgresBackupLabel, WithoutItsIncrementalLinesIsThatOfAFullBackup) {
  const std::string text = golden("postgres/backup_label.17-incremental");
  const std::string full = without_incremental_lines(text);
  EXPECT_EQ(full, text.substr(0, text.find("INCREMENTAL")));
  const auto label = parse_backup_label(full);
  ASSERT_TRUE(label) << label.error().message();
  EXPECT_FALSE(label->incremental_from);
  EXPECT_EQ(without_incremental_lines(full), full);
}

TEST(PostgresBackupLabel, CutOffAnywhereButBetweenItsTwoFormsIsRefused) {
  const std::string text = golden("postgres/backup_label.17-incremental");
  for (std::size_t size = 0; size < text.size(); ++size) {
    const bool is_full_label = size == text.find("INCREMENTAL");
    EXPECT_EQ(parse_backup_label(text.substr(0, size)).has_value(), is_full_label) << size;
  }
}

TEST(PostgresBackupLabel, InAnotherOrderOrWithLinesThatContradictIsRefused) {
  const std::string text = golden("postgres/backup_label.17-incremental");
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string out = text;
    out.replace(out.find(from), from.size(), to);
    return parse_backup_label(out);
  };
  EXPECT_TRUE(changed("primary", "standby"));
  EXPECT_FALSE(changed("primary", "nowhere"));
  EXPECT_FALSE(changed("streamed", "pg_start_backup"));
  EXPECT_FALSE(changed("START TIMELINE: 1", "START TIMELINE: 2"));
  EXPECT_FALSE(changed("START TIMELINE: 1", "START TIMELINE: 0"));
  EXPECT_FALSE(changed("(file 000000010000000000000016)", "(file x)"));
  EXPECT_FALSE(changed("INCREMENTAL FROM TLI: 1\n", "INCREMENTAL FROM TLI: 1\nmore\n"));
  EXPECT_FALSE(changed("CHECKPOINT LOCATION", "START TIME"));
  EXPECT_FALSE(parse_backup_label(std::string(65 * kKiB, 'x')));
}

TEST(PostgresTablespaceMap, EscapesAreUndone) {
  const auto map = parse_tablespace_map("16384 /srv/a b\n16385 /srv/new\\\nline\\\\back\n");
  ASSERT_TRUE(map) << map.error().message();
  EXPECT_EQ(map->at(16384), "/srv/a b");
  EXPECT_EQ(map->at(16385), "/srv/new\nline\\back");
  EXPECT_TRUE(parse_tablespace_map("")->empty());
}

TEST(PostgresTablespaceMap, OfOtherLinesIsRefused) {
  for (const auto* text : {"16384 /a", "x /a\n", "0 /a\n", "16384\n", "1 /a\n1 /b\n", "\n",
                           "4294967296 /a\n", "1 /a\\\n"}) {
    EXPECT_FALSE(parse_tablespace_map(text)) << text;
  }
}

// ---- manifests ------------------------------------------------------------------------------

std::string with_checksum(const std::string& body) {
  FileChecksum sum(ChecksumAlgorithm::Sha256);
  sum.update(as_bytes(body));
  return body + fmt::format("\"Manifest-Checksum\": \"{}\"}}\n", to_hex(sum.finish()));
}

std::string manifest_of(const std::string& files,
                        const std::string& head =
                            "{ \"PostgreSQL-Backup-Manifest-Version\": 2,\n"
                            "\"System-Identifier\": 18446744073709551615,\n") {
  return with_checksum(
      head + "\"Files\": [\n" + files +
      "\n],\n\"WAL-Ranges\": [\n"
      "{ \"Timeline\": 1, \"Start-LSN\": \"0/28\", \"End-LSN\": \"0/128\" }\n],\n");
}

std::string file_of(const std::string& path, const std::string& more = "") {
  return fmt::format("{{ \"Path\": \"{}\", \"Size\": 3, \"Last-Modified\": \"now\"{} }}", path,
                     more);
}

Result<BackupManifest> parse(const std::string& text) {
  return parse_backup_manifest(as_bytes(text));
}

std::string written(const BackupManifest& manifest) {
  std::string out;
  ManifestWriter writer(manifest.system_identifier, [&](ByteView bytes) {
    out += as_text(bytes);
    return ok();
  });
  for (const auto& file : manifest.files) EXPECT_TRUE(writer.add(file));
  EXPECT_TRUE(writer.finish(manifest.wal_ranges));
  return out;
}

TEST(PostgresManifest, ReadAndWrittenAgainIsTheServersByteForByte) {
  const std::string text = golden("postgres/backup_manifest.17");
  const auto manifest = parse(text);
  ASSERT_TRUE(manifest) << manifest.error().message();
  EXPECT_EQ(manifest->version, 2U);
  EXPECT_EQ(manifest->system_identifier, 7712834650464425072U);
  EXPECT_EQ(manifest->files.size(), 6U);
  EXPECT_EQ(manifest->wal_ranges.front(), (WalRange{{1}, {0x16000028}, {0x16000120}}));
  EXPECT_EQ(written(*manifest), text);
}

TEST(PostgresManifest, OfVersion1HasNoSystem) {
  const std::string text =
      manifest_of(file_of("PG_VERSION"), "{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n");
  const auto manifest = parse(text);
  ASSERT_TRUE(manifest) << manifest.error().message();
  EXPECT_FALSE(manifest->system_identifier);
  EXPECT_EQ(written(*manifest), text);
}

TEST(PostgresManifest, EveryChangedByteIsFoundByItsOwnChecksum) {
  const std::string text = golden("postgres/backup_manifest.17");
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    const bool is_behind_checksum = at >= text.size() - 3;  // `"}` and the line's end.
    EXPECT_TRUE(is_behind_checksum || !parse(changed)) << at;
  }
}

TEST(PostgresManifest, CutOffAnywhereIsRefused) {
  const std::string text = golden("postgres/backup_manifest.17");
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(parse(text.substr(0, size))) << size;
  }
}

TEST(PostgresManifest, NamesOfAnyBytesComeBack) {
  BackupManifest manifest{.version = 2, .system_identifier = 7, .files = {}, .wal_ranges = {}};
  manifest.wal_ranges.push_back({{1}, {1}, {2}});
  for (const std::string& path :
       {std::string("caf\xE9.txt"), std::string("quote\"back\\slash"),
        std::string("new\nline\t\x01"), std::string("gr\xC3\xBC\xC3\x9F"), std::string("%s")}) {
    manifest.files.push_back({.path = path,
                              .size = UINT64_MAX,
                              .last_modified = "2026-11-27 12:00:00 GMT",
                              .algorithm = ChecksumAlgorithm::None,
                              .checksum = {}});
  }
  const std::string text = written(manifest);
  EXPECT_NE(text.find("\"Encoded-Path\": \"636166e92e747874\""), std::string::npos);
  EXPECT_NE(text.find("new\\nline\\t\\u0001"), std::string::npos);
  const auto again = parse(text);
  ASSERT_TRUE(again) << again.error().message();
  for (std::size_t i = 0; i < manifest.files.size(); ++i) {
    EXPECT_EQ(again->files[i].path, manifest.files[i].path);
    EXPECT_EQ(again->files[i].size, UINT64_MAX);
  }
}

TEST(PostgresManifest, PathsThatLeaveTheDataDirectoryAreRefused) {
  for (const auto* path :
       {"", "/etc/passwd", "..", "a/../b", "a//b", "./a", "a/", "a/.", "a\\u0000b"}) {
    EXPECT_FALSE(parse(manifest_of(file_of(path)))) << path;
  }
  EXPECT_TRUE(parse(manifest_of(file_of("a/b"))));
  EXPECT_TRUE(parse(manifest_of(file_of(std::string(4096, 'a')))));
  EXPECT_FALSE(parse(manifest_of(file_of(std::string(4097, 'a')))));
}

TEST(PostgresManifest, WithAnythingUnknownTwiceOrMissingIsRefused) {
  const std::string file = file_of("a");
  for (const std::string& files :
       {file + ",\n" + file, file_of("a", ", \"Color\": \"red\""), file_of("a", ", \"Size\": 4"),
        file_of("a", ", \"Checksum\": \"00\""), file_of("a", ", \"Encoded-Path\": \"61\""),
        file_of("a", ", \"Checksum-Algorithm\": \"MD5\", \"Checksum\": \"00\""),
        file_of("a", ", \"Checksum-Algorithm\": \"CRC32C\", \"Checksum\": \"001122\""),
        std::string("{ \"Path\": \"a\" }"), std::string("[]"), std::string("\"a\""),
        std::string("{ \"Path\": \"a\", \"Size\": -1 }"),
        std::string("{ \"Path\": \"a\", \"Size\": 1.5 }"),
        std::string("{ \"Path\": {}, \"Size\": 1 }")}) {
    EXPECT_FALSE(parse(manifest_of(files))) << files;
  }
  EXPECT_TRUE(parse(manifest_of(
      file_of("a", ", \"Checksum-Algorithm\": \"crc32c\", \"Checksum\": \"AABBCCDD\""))));
  EXPECT_EQ(
      parse(manifest_of(file, "{ \"PostgreSQL-Backup-Manifest-Version\": 3,\n")).error().code(),
      ErrorCode::Unsupported);
  EXPECT_FALSE(parse(manifest_of(file, "{ \"PostgreSQL-Backup-Manifest-Version\": 2,\n")));
  EXPECT_FALSE(parse(manifest_of(file, "{ \"System-Identifier\": 1,\n")));
}

TEST(PostgresManifest, NestedAsDeepAsItLikesIsRefusedWithoutRecursion) {  // covers S16
  EXPECT_FALSE(parse(manifest_of(std::string(1'000'000, '['))));
}

// ---- checksums ------------------------------------------------------------------------------

TEST(PostgresFileChecksum, HasTheServersVectors) {
  const auto digest = [](ChecksumAlgorithm algorithm, std::string_view text) {
    FileChecksum sum(algorithm);
    for (const char& c : text) sum.update(as_bytes(std::string_view(&c, 1)));
    return to_hex(sum.finish());
  };
  EXPECT_EQ(digest(ChecksumAlgorithm::Crc32c, ""), "00000000");
  EXPECT_EQ(digest(ChecksumAlgorithm::Crc32c, "17\n"), "64440205");
  EXPECT_EQ(digest(ChecksumAlgorithm::Crc32c, "123456789"), "839206e3");
  EXPECT_EQ(digest(ChecksumAlgorithm::Sha256, "abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest(ChecksumAlgorithm::None, "abc"), "");
  for (const auto* name : {"NONE", "CRC32C", "SHA224", "SHA256", "SHA384", "SHA512"}) {
    const auto algorithm = checksum_algorithm(name);
    ASSERT_TRUE(algorithm) << name;
    EXPECT_EQ(to_text(*algorithm), name);
    EXPECT_EQ(digest(*algorithm, "x").size(), 2 * digest_bytes(*algorithm));
  }
}

// ---- incremental files ----------------------------------------------------------------------

constexpr RelationGeometry kGeometry{};

struct Header {
  std::uint32_t magic = 0xd3ae1f0d;
  std::uint32_t truncation = 0;
  std::vector<std::uint32_t> blocks;
  std::optional<std::uint32_t> count = {};

  Bytes bytes() const {
    Encoder out;
    out.u32(magic);
    out.u32(count.value_or(static_cast<std::uint32_t>(blocks.size())));
    out.u32(truncation);
    for (const std::uint32_t block : blocks) out.u32(block);
    while (!blocks.empty() && out.size() % kGeometry.block_bytes != 0) out.u8(0);
    return out.take();
  }
  Result<IncrementalHeader> parse() const {
    const Bytes all = bytes();
    PV_TRY_ASSIGN(const auto length, incremental_header_bytes(all, kGeometry));
    if (length != all.size()) return Error(ErrorCode::Corrupt, "another length");
    return parse_incremental_header(all, all.size() + blocks.size() * kGeometry.block_bytes,
                                    kGeometry);
  }
};

TEST(PostgresIncremental, OfTheServerIsRead) {
  const Bytes file = golden_bytes("postgres/INCREMENTAL.one-block");
  EXPECT_EQ(*incremental_header_bytes(file, kGeometry), 8192U);
  const auto header = parse_incremental_header(ByteView(file).first(8192), file.size(), kGeometry);
  ASSERT_TRUE(header) << header.error().message();
  EXPECT_EQ(header->blocks, std::vector<std::uint32_t>{1});
  EXPECT_EQ(header->truncation_blocks, 2U);
  EXPECT_EQ(header->blocks_after(), 2U);
}

TEST(PostgresIncremental, WithoutBlocksIsTwelveBytes) {
  const auto header = Header{.truncation = 7, .blocks = {}}.parse();
  ASSERT_TRUE(header) << header.error().message();
  EXPECT_EQ(header->header_bytes, 12U);
  EXPECT_EQ(header->blocks_after(), 7U);
}

TEST(PostgresIncremental, FillsItsHeaderBlockExactlyWith2045Blocks) {
  Header header;
  for (std::uint32_t block = 0; block < 2045; ++block) header.blocks.push_back(block * 3);
  EXPECT_EQ(header.parse()->header_bytes, 8192U);
  header.blocks.push_back(2045 * 3);
  EXPECT_EQ(header.parse()->header_bytes, 16384U);
  EXPECT_EQ(header.parse()->blocks_after(), 2045U * 3 + 1);
}

TEST(PostgresIncremental, AFullSegmentIsTheMost) {
  Header header;
  for (std::uint32_t block = 0; block < kGeometry.segment_blocks; ++block)
    header.blocks.push_back(block);
  EXPECT_TRUE(header.parse());
  EXPECT_FALSE((Header{.blocks = {}, .count = kGeometry.segment_blocks + 1}.parse()));
  EXPECT_FALSE((Header{.blocks = {kGeometry.segment_blocks}}.parse()));
}

TEST(PostgresIncremental, ATruncationLengthBeyondTheSegmentIsClamped) {
  EXPECT_EQ((Header{.truncation = UINT32_MAX, .blocks = {}}.parse()->truncation_blocks),
            kGeometry.segment_blocks);
}

TEST(PostgresIncremental, WithBlocksOutOfOrderOrTwiceIsRefused) {
  EXPECT_FALSE((Header{.blocks = {2, 1}}.parse()));
  EXPECT_FALSE((Header{.blocks = {1, 1}}.parse()));
  EXPECT_TRUE((Header{.blocks = {1, 2}}.parse()));
}

TEST(PostgresIncremental, OfAnotherMagicLengthOrPaddingIsRefused) {
  EXPECT_FALSE((Header{.magic = 0xd3ae1f0e, .blocks = {}}.parse()));
  const auto swapped = Header{.magic = 0x0d1faed3, .blocks = {}}.parse();
  EXPECT_NE(swapped.error().message().find("big-endian"), std::string::npos);
  Bytes header = Header{.blocks = {5}}.bytes();
  const std::uint64_t whole = header.size() + 8192;
  EXPECT_TRUE(parse_incremental_header(header, whole, kGeometry));
  EXPECT_FALSE(parse_incremental_header(header, whole - 1, kGeometry));
  EXPECT_FALSE(parse_incremental_header(header, whole + 8192, kGeometry));
  header.back() = std::byte{1};
  EXPECT_FALSE(parse_incremental_header(header, whole, kGeometry));
}

TEST(PostgresIncremental, NamesCountOnlyWhereRelationFilesLie) {
  EXPECT_EQ(relation_path_of_incremental("base/5/INCREMENTAL.16384_vm.1"), "base/5/16384_vm.1");
  EXPECT_EQ(relation_path_of_incremental("global/INCREMENTAL.1261"), "global/1261");
  EXPECT_EQ(relation_path_of_incremental("pg_tblspc/1/PG_17_2/5/INCREMENTAL.7"),
            "pg_tblspc/1/PG_17_2/5/7");
  for (const auto* path : {"INCREMENTAL.1", "base/INCREMENTAL.1", "base/5/INCREMENTAL.x",
                           "base/5/16384", "base/5/INCREMENTAL.", "pg_wal/INCREMENTAL.1"}) {
    EXPECT_FALSE(relation_path_of_incremental(path)) << path;
  }
  EXPECT_EQ(incremental_path_of("base/5/16384"), "base/5/INCREMENTAL.16384");
}

// ---- pages ----------------------------------------------------------------------------------

Bytes heap_page() {
  Bytes page(8192);
  store_le16(MutableBytes(page).subspan(12), 24);
  store_le16(MutableBytes(page).subspan(14), 8192);
  store_le16(MutableBytes(page).subspan(16), 8192);
  store_le16(MutableBytes(page).subspan(18), 0x2004);
  return page;
}

TEST(PostgresPageChecksum, HasTheReferencesVectors) {
  Bytes page(8192);
  for (std::size_t i = 0; i < page.size(); ++i) page[i] = static_cast<std::byte>(7 * i + 3);
  EXPECT_EQ(page_checksum(page, 0), 0xaa4c);
  EXPECT_EQ(page_checksum(page, 1), 0xaa4b);
  EXPECT_EQ(page_checksum(page, 131072), 0xaa4a);
  EXPECT_EQ(page_checksum(heap_page(), 0), 0x6560);
  EXPECT_EQ(page_checksum(heap_page(), 7), 0x655d);
}

TEST(PostgresPageChecksum, IsThatOfAPageTheServerWrote) {
  const Bytes file = golden_bytes("postgres/INCREMENTAL.one-block");
  const ByteView page = ByteView(file).subspan(8192);
  EXPECT_EQ(page_checksum(page, 1), load_le16(page.subspan(8)));
  EXPECT_EQ(stated_page_bytes(page), 8192U);
}

TEST(PostgresPageChecksum, IsTheSameWithEveryKernel) {
  std::mt19937_64 random(5);
  for (const std::size_t size : {128U, 1024U, 2048U, 4096U, 8192U, 16384U, 32768U}) {
    Bytes page(size);
    for (std::byte& b : page) b = static_cast<std::byte>(random());
    const std::uint32_t plain = kPageChecksumBaseline.mix(page);
    EXPECT_EQ(fastest_page_checksum_kernel().mix(page), plain) << size;
  }
}

TEST(PostgresPageChecksum, WrongOnesAreFoundAndNewPagesSkipped) {
  Bytes pages;
  for (std::uint32_t block = 10; block < 14; ++block) {
    Bytes page = heap_page();
    store_le32(MutableBytes(page).subspan(4), 0x500 + block);
    store_le16(MutableBytes(page).subspan(8), page_checksum(page, block));
    append(pages, page);
  }
  std::fill_n(pages.begin() + 8192, 8192, std::byte{0});  // Block 11 is new.
  std::vector<PageMismatch> found;
  EXPECT_EQ(find_mismatches(pages, 8192, 10, found, 8), 0U);
  EXPECT_EQ(find_mismatches(pages, 8192, 11, found, 2), 3U);  // The wrong place.
  EXPECT_EQ(found.size(), 2U);
  found.clear();
  pages[2 * 8192 + 4000] ^= std::byte{1};
  EXPECT_EQ(find_mismatches(pages, 8192, 10, found, 8), 1U);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found.front().block, 12U);
  EXPECT_EQ(found.front().lsn.value, 0x50CU);
  EXPECT_NE(found.front().stored, found.front().computed);
}

// ---- WAL summaries --------------------------------------------------------------------------

constexpr const char* kSummary = "postgres/0000000100000000260000280000000028727E60.summary";

TEST(PostgresWalSummary, OfTheServerNamesTheTruncatedTable) {
  const auto limits = read_limit_blocks(golden_bytes(kSummary));
  ASSERT_TRUE(limits) << limits.error().message();
  ASSERT_EQ(limits->size(), 2U);
  EXPECT_EQ((*limits)[0].fork, (RelationFork{1663, 5, 16406, 0}));
  EXPECT_EQ((*limits)[0].block, 334U);
  EXPECT_TRUE(is_at_risk((*limits)[0]));
  EXPECT_TRUE(is_at_risk((*limits)[1]));
  EXPECT_FALSE(is_at_risk({.fork = {1663, 5, 16406, 0}, .block = 0}));
  EXPECT_FALSE(is_at_risk({.fork = {1663, 5, 16406, 3}, .block = 5}));
}

TEST(PostgresWalSummary, NamesSayWhatTheyCover) {
  const auto range = parse_wal_summary_name("0000000100000000260000280000000028727E60.summary");
  ASSERT_TRUE(range);
  EXPECT_EQ(*range, (WalRange{{1}, {0x26000028}, {0x28727E60}}));
  for (const auto* name : {"", "x.summary", "0000000100000000260000280000000026000028.summary",
                           "0000000000000000260000280000000028727E60.summary",
                           "000000010000000026000028000000002872 E60.summary"}) {
    EXPECT_FALSE(parse_wal_summary_name(name)) << name;
  }
}

TEST(PostgresWalSummary, EveryChangedByteAndEveryLengthIsFound) {
  const Bytes whole = golden_bytes(kSummary);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    Bytes changed = whole;
    changed[at] ^= std::byte{4};
    EXPECT_FALSE(read_limit_blocks(changed)) << at;
    EXPECT_FALSE(read_limit_blocks(ByteView(whole).first(at))) << at;
  }
}

TEST(PostgresWalSummary, ThatLiesWithARightChecksumIsRefused) {
  const auto sealed = [](auto fill) {
    Encoder out;
    out.u32(0x652b137b);
    fill(out);
    const std::uint32_t crc = crc32c(out.view());
    out.u32(crc);
    return read_limit_blocks(out.view());
  };
  const auto fork = [](Encoder& out, std::uint32_t relation, std::uint32_t chunks) {
    for (const std::uint32_t value : {1663U, 5U, relation, 0U, 9U, chunks}) out.u32(value);
  };
  EXPECT_TRUE(sealed([&](Encoder& out) { fork(out, 7, 0), out.zeros(24); }));
  EXPECT_FALSE(sealed([&](Encoder& out) { fork(out, 7, 0); }));  // No end.
  EXPECT_FALSE(sealed([&](Encoder& out) { fork(out, 7, 0), fork(out, 7, 0), out.zeros(24); }));
  EXPECT_FALSE(sealed([&](Encoder& out) { fork(out, 7, UINT32_MAX), out.zeros(24); }));
  EXPECT_FALSE(sealed([&](Encoder& out) { fork(out, 7, 1), out.u16(4097), out.zeros(24); }));
  EXPECT_FALSE(sealed([&](Encoder& out) { out.zeros(25); }));
}

}  // namespace
}  // namespace pagevault::pgsupport
