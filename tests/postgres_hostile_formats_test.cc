// Files of base backups that were made to mislead: each is refused, or read for what it is.
// covers F6.5 S14 S15 S16

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "chunk_test_data.h"
#include "pagevault/base/codec.h"
#include "pagevault/base/crc32c.h"
#include "pagevault/pgsupport/backup_label.h"
#include "pagevault/pgsupport/backup_manifest.h"
#include "pagevault/pgsupport/incremental_file.h"
#include "pagevault/pgsupport/wal_summary.h"

namespace pagevault::pgsupport {
namespace {

const std::string kHead =
    "{ \"PostgreSQL-Backup-Manifest-Version\": 2,\n\"System-Identifier\": 7,\n";
const std::string kFile = "{ \"Path\": \"a\", \"Size\": 3, \"Last-Modified\": \"now\" }";
const std::string kRanges =
    "\"WAL-Ranges\": [\n{ \"Timeline\": 1, \"Start-LSN\": \"0/28\", \"End-LSN\": \"0/128\" }\n],\n";

std::string digest_of(const std::string& text) {
  FileChecksum sum(ChecksumAlgorithm::Sha256);
  sum.update(as_bytes(text));
  return to_hex(sum.finish());
}

std::string manifest_of(const std::string& files) {
  return kHead + "\"Files\": [\n" + files + "\n],\n" + kRanges;
}

Result<BackupManifest> parse_sealed(const std::string& body) {
  const std::string text = body + fmt::format("\"Manifest-Checksum\": \"{}\"}}\n", digest_of(body));
  return parse_backup_manifest(as_bytes(text));
}

std::string written(const BackupManifest& manifest) {
  std::string out;
  ManifestWriter writer(manifest.system_identifier, [&out](ByteView bytes) {
    out += as_text(bytes);
    return ok();
  });
  for (const ManifestFile& file : manifest.files) EXPECT_TRUE(writer.add(file));
  EXPECT_TRUE(writer.finish(manifest.wal_ranges));
  return out;
}

TEST(HostileManifest, CannotListFilesOnTheLineThatItsChecksumDoesNotCover) {
  const std::string body = kHead + "\"Files\": [\n" + kFile + "\n],\n";
  const std::string ranges =
      "\"WAL-Ranges\": [{ \"Timeline\": 1, \"Start-LSN\": \"0/28\", \"End-LSN\": \"0/128\" }]";
  const std::string checksum = fmt::format("\"Manifest-Checksum\": \"{}\"", digest_of(body));
  for (const std::string& last :
       {ranges + ", " + checksum + "}\n", checksum + ", " + ranges + "}\n", checksum + "} \n",
        " " + checksum + "}\n"}) {
    EXPECT_FALSE(parse_backup_manifest(as_bytes(body + last))) << last;
  }
}

TEST(HostileManifest, CannotSmuggleEntriesIntoAnotherThroughATimeOfChange) {
  const auto manifest = parse_sealed(manifest_of(
      "{ \"Path\": \"a\", \"Size\": 3, "
      "\"Last-Modified\": \"x\\\" }, { \\\"Path\\\": \\\"b\\\", \\\"Size\\\": 1\\u0001\" }"));
  ASSERT_TRUE(manifest) << manifest.error().message();
  const auto again = parse_backup_manifest(as_bytes(written(*manifest)));
  ASSERT_TRUE(again) << again.error().message();
  ASSERT_EQ(again->files.size(), 1U);
  EXPECT_EQ(again->files[0].last_modified, manifest->files[0].last_modified);
}

TEST(HostileManifest, CannotNameAFileTwiceOneOfThemWithNothing) {
  for (const auto* paths :
       {R"("Path": "", "Encoded-Path": "61")", R"("Encoded-Path": "", "Path": "a")",
        R"("Path": "a", "Encoded-Path": "61")"}) {
    EXPECT_FALSE(parse_sealed(manifest_of(fmt::format("{{ {}, \"Size\": 3 }}", paths)))) << paths;
  }
  EXPECT_TRUE(parse_sealed(manifest_of(R"({ "Encoded-Path": "61", "Size": 3 })")));
  EXPECT_FALSE(parse_sealed(manifest_of(R"({ "Encoded-Path": "2e2e2F61", "Size": 3 })")));
}

TEST(HostileManifest, MustListFilesAndWalAndNothingElse) {
  const std::string files = "\"Files\": [\n" + kFile + "\n],\n";
  EXPECT_TRUE(parse_sealed(kHead + files + kRanges));
  EXPECT_FALSE(parse_sealed(kHead + kRanges));
  EXPECT_FALSE(parse_sealed(kHead + files));
  EXPECT_FALSE(parse_sealed(kHead + files + files + kRanges));
  for (const auto* more : {"\"More\": 1,\n", "\"More\": [],\n", "\"More\": {},\n",
                           "\"More\": null,\n", "\"More\": true,\n", "\"Files\": 1,\n"}) {
    EXPECT_FALSE(parse_sealed(kHead + more + files + kRanges)) << more;
  }
}

TEST(HostileTablespaceMap, MustNameAbsolutePaths) {
  for (const std::string& text : {std::string("16384 \n"), std::string("16384 a\n"),
                                  std::string("16384 ../a\n"), std::string("16384 /a\0b\n", 12)}) {
    EXPECT_FALSE(parse_tablespace_map(text)) << text;
  }
  EXPECT_EQ(parse_tablespace_map("16384 /a\n")->at(16384), "/a");
}

TEST(HostileWalSummary, MustBeNamedAsTheServerDoes) {
  EXPECT_TRUE(parse_wal_summary_name("0000000A00000000260000280000000028727E60.summary"));
  EXPECT_FALSE(parse_wal_summary_name("0000000a00000000260000280000000028727E60.summary"));
  EXPECT_FALSE(parse_wal_summary_name("0000000A00000000260000280000000028727E6-.summary"));
}

// ---- edits of files that are in order -------------------------------------------------------

// True when it was read.
using Look = std::function<bool(const Bytes&, const std::string& which)>;

void try_edits(const Bytes& seed, std::uint64_t number, const Look& look) {
  test::SeededStream random(number);
  int read = 0;
  for (int round = 0; round < 20'000; ++round) {
    Bytes input = seed;
    for (std::uint64_t edits = random.below(4); edits > 0; --edits) {
      input[random.below(input.size())] = static_cast<std::byte>(random.next());
    }
    if (random.below(8) == 0) input.resize(random.below(input.size()));
    read += look(input, fmt::format("seed {} round {}", number, round)) ? 1 : 0;
  }
  EXPECT_GT(read, 4000) << "not edited, it should be in order";
  EXPECT_LT(read, 20'000);
}

TEST(HostileIncremental, EditedListsBlocksOfTheSegmentInOrderOrIsRefused) {
  constexpr RelationGeometry kGeometry{.block_bytes = 1024, .segment_blocks = 600};
  Encoder out;
  for (const std::uint32_t value : {0xd3ae1f0dU, 4U, 500U, 1U, 2U, 9U, 599U}) out.u32(value);
  try_edits(out.take(), 61, [&](const Bytes& input, const std::string& which) {
    if (input.size() < kIncrementalFixedBytes) return false;
    const auto length = incremental_header_bytes(input, kGeometry);
    if (!length) return false;
    EXPECT_LE(*length, 4096U) << which;
    Bytes header = input;
    header.resize(*length);
    const std::uint64_t images = std::uint64_t{load_le32(ByteView(input).subspan(4))} * 1024;
    const auto parsed = parse_incremental_header(header, *length + images, kGeometry);
    if (!parsed) return false;
    EXPECT_LE(parsed->blocks_after(), 600U) << which;
    for (std::size_t i = 1; i < parsed->blocks.size(); ++i) {
      EXPECT_LT(parsed->blocks[i - 1], parsed->blocks[i]) << which;
    }
    return true;
  });
}

TEST(HostileWalSummary, EditedHasForksInOrderOrIsRefused) {
  Encoder out;
  for (const std::uint32_t value : {1663U, 5U, 7U, 0U, 9U, 2U}) out.u32(value);
  for (const std::uint16_t value : std::initializer_list<std::uint16_t>{1, 2, 4, 5, 6})
    out.u16(value);  // Chunks of 1 and 2 blocks.
  for (const std::uint32_t value : {1663U, 5U, 7U, 2U, 1U, 0U}) out.u32(value);
  out.zeros(24);
  try_edits(out.take(), 62, [](const Bytes& input, const std::string& which) {
    Encoder file;
    file.u32(0x652b137b);
    file.raw(input);
    const std::uint32_t crc = crc32c(file.view());
    file.u32(crc);
    const auto limits = read_limit_blocks(file.view());
    if (!limits) return false;
    for (std::size_t i = 1; i < limits->size(); ++i) {
      EXPECT_LT((*limits)[i - 1].fork, (*limits)[i].fork) << which;
    }
    return true;
  });
}

TEST(HostileManifest, EditedIsWrittenAgainTheSameOrRefused) {
  const std::string body =
      manifest_of(kFile + ",\n" +
                  "{ \"Encoded-Path\": \"62\", \"Size\": 9, \"Checksum-Algorithm\": \"CRC32C\", "
                  "\"Checksum\": \"aabbccdd\" }");
  ASSERT_TRUE(parse_sealed(body));
  try_edits(to_bytes(as_bytes(body)), 63, [](const Bytes& input, const std::string& which) {
    const auto manifest = parse_sealed(std::string(as_text(input)));
    if (!manifest) return false;
    const auto again = parse_backup_manifest(as_bytes(written(*manifest)));
    EXPECT_TRUE(again) << which;
    if (!again) return true;
    EXPECT_EQ(again->files.size(), manifest->files.size()) << which;
    EXPECT_EQ(again->wal_ranges, manifest->wal_ranges) << which;
    return true;
  });
}

TEST(HostileLabel, EditedIsRefusedOrReadAndItsFullFormToo) {
  const std::string label =
      "START WAL LOCATION: 0/16000028 (file 000000010000000000000016)\n"
      "CHECKPOINT LOCATION: 0/16000080\nBACKUP METHOD: streamed\nBACKUP FROM: primary\n"
      "START TIME: 2026-11-27 12:00:00 GMT\nLABEL: base\nSTART TIMELINE: 1\n"
      "INCREMENTAL FROM LSN: 0/11000028\nINCREMENTAL FROM TLI: 1\n";
  ASSERT_TRUE(parse_backup_label(label));
  try_edits(to_bytes(as_bytes(label)), 64, [](const Bytes& input, const std::string& which) {
    const auto parsed = parse_backup_label(as_text(input));
    if (!parsed) return false;
    const auto full = parse_backup_label(without_incremental_lines(as_text(input)));
    EXPECT_TRUE(full) << which;
    if (!full) return true;
    EXPECT_FALSE(full->incremental_from) << which;
    EXPECT_EQ(full->start, parsed->start) << which;
    return true;
  });
}

}  // namespace
}  // namespace pagevault::pgsupport
