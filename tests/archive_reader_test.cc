// Archives of base backups: what is read, what is refused, and how much memory that takes.
// covers F6.1, F6.5, S15

#include "pagevault/pgsupport/archive_reader.h"

#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <sstream>

#include "chunk_test_data.h"
#include "golden_bytes.h"
#include "tar_vocabulary.h"

namespace pagevault::test {
namespace {

using pgsupport::ArchiveMember;
using pgsupport::ArchiveReader;
using pgsupport::ArchiveWriter;
using ::testing::HasSubstr;

std::string seeded_text(std::size_t size, std::uint64_t seed) {
  return std::string(as_text(random_bytes(size, seed)));
}

// The error of reading all of `archive`; its message is empty if there is none.
Error error_of(const std::string& archive) {
  const auto read = read_archive(archive);
  return read ? Error(ErrorCode::NotFound, "") : read.error();
}

void expect_corrupt(const std::string& archive, const std::string& part) {
  const Error error = error_of(archive);
  EXPECT_EQ(error.code(), ErrorCode::Corrupt) << part;
  EXPECT_THAT(error.message(), HasSubstr(part));
}

std::string one_member(const TarFields& fields) { return tar_header(fields) + kTarEnd; }

TEST(ArchiveReader, ReadsWhatPostgresWrote) {
  // Members of base.tar of `pg_basebackup -Ft -X fetch`, PostgreSQL 17.
  const Bytes golden = golden_bytes("tar/postgresql-17-members.txt");
  const auto read = read_archive(std::string(as_text(golden)));
  ASSERT_TRUE(read) << read.error().message();
  std::ostringstream listing;
  for (const ReadMember& each : *read) {
    const FileInfo& info = each.member.info;
    EXPECT_EQ(info.size, each.content.size());
    EXPECT_EQ(info.uid, 100U);
    EXPECT_EQ(each.member.user + ":" + each.member.group, "postgres:postgres");
    listing << (info.type == FileType::Directory ? "d" : "-") << std::oct << info.mode << std::dec
            << " " << info.size << " " << each.member.path << "\n";
  }
  EXPECT_EQ(listing.str(),
            "-600 223 backup_label\n"
            "-600 25 tablespace_map\n"
            "d700 0 pg_notify\n"
            "-600 3 PG_VERSION\n"
            "-600 524 global/pg_filenode.map\n"
            "d700 0 pg_wal/archive_status\n"
            "-600 8 pg_logical/replorigin_checkpoint\n"
            "-600 0 pg_wal/archive_status/00000001000000000000000F.done\n");
  EXPECT_EQ((*read)[3].content, "17\n");
}

TEST(ArchiveReader, ReadsTheSameHoweverTheStreamIsSlicedAndRead) {
  const std::string big = seeded_text(100'000, 1);
  const std::string archive = tar_file("a", "") + tar_file("b", big) + tar_file("c", "x") + kTarEnd;
  for (const std::size_t piece : {1U, 7U, 511U, 512U, 513U, 4096U, 1U << 20U}) {
    for (const std::size_t read_bytes : {1U, 1000U, 1U << 20U}) {
      if (piece * read_bytes < 100) continue;  // Slow, and nothing new.
      const auto read = read_archive(source_of(archive, piece), read_bytes);
      ASSERT_TRUE(read) << read.error().message();
      ASSERT_EQ(read->size(), 3U);
      EXPECT_EQ((*read)[1].content, big) << piece << " " << read_bytes;
      EXPECT_EQ((*read)[2].content, "x");
    }
  }
}

TEST(ArchiveReader, ReadsGzipLz4AndZstdStreams) {
  const std::string content = seeded_text(300'000, 2) + std::string(300'000, 'z');
  const std::string archive = tar_file("base/1/1", content) + kTarEnd;
  for (const int filter : {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_LZ4, ARCHIVE_FILTER_ZSTD}) {
    const std::string stream = compressed(archive, filter);
    for (const std::size_t piece : {1U, 3U, 65536U}) {
      const auto read = read_archive(stream, piece);
      ASSERT_TRUE(read) << filter << ": " << read.error().message();
      ASSERT_EQ(read->size(), 1U);
      EXPECT_EQ(read->front().content, content) << filter;
    }
  }
}

TEST(ArchiveReader, ReadsSeveralFramesOneAfterTheOther) {
  const std::string first = tar_file("a", std::string(5000, 'a'));
  const std::string second = tar_file("b", "b") + kTarEnd;
  for (const int filter : {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_LZ4, ARCHIVE_FILTER_ZSTD}) {
    const auto read = read_archive(compressed(first, filter) + compressed(second, filter));
    ASSERT_TRUE(read) << filter << ": " << read.error().message();
    EXPECT_EQ(read->size(), 2U) << filter;
  }
}

TEST(ArchiveReader, SkipsWhatWasNotReadOfAMember) {
  const std::string archive =
      tar_file("a", std::string(70'001, 'a')) + tar_file("b", "bb") + kTarEnd;
  auto reader = ArchiveReader::open(source_of(archive, 1000)).value();
  ASSERT_EQ(reader->next().value()->path, "a");
  Bytes some(3);
  EXPECT_EQ(reader->read(some).value(), 3U);
  ASSERT_EQ(reader->next().value()->path, "b");
  EXPECT_EQ(reader->read(some).value(), 2U);
  EXPECT_EQ(reader->read(some).value(), 0U);
  EXPECT_FALSE(reader->next().value().has_value());
  EXPECT_FALSE(reader->next().value().has_value()) << "the end stays the end";
  EXPECT_EQ(reader->read(some).value(), 0U);
}

TEST(ArchiveReader, PutsNamesIntoNormalForm) {
  const std::string archive =
      tar_header({.name = "./", .type = '5'}) +
      tar_header({.name = "./pg_wal/archive_status/", .type = '5'}) +
      tar_header({.name = "pg_tblspc/16384/", .type = '2', .link_target = "/x"}) +
      tar_header({.name = "name", .prefix = "some/folder"}) + kTarEnd;
  const auto read = read_archive(archive);
  ASSERT_TRUE(read) << read.error().message();
  ASSERT_EQ(read->size(), 3U) << "the root's own entry is passed over";
  EXPECT_EQ((*read)[0].member.path, "pg_wal/archive_status");
  EXPECT_EQ((*read)[1].member.path, "pg_tblspc/16384");
  EXPECT_EQ((*read)[1].member.link_target, "/x");
  EXPECT_EQ((*read)[2].member.path, "some/folder/name");
}

TEST(ArchiveReader, KeepsNamesThatAreNotTextAsTheyAre) {
  for (const char* const name :
       {"caf\351.txt", "a\nb", "\x01", "a b", "%s", "INCREMENTAL.x", "..a", "a/...", "\\"}) {
    const auto read = read_archive(one_member({.name = name}));
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(read->front().member.path, name);
  }
}

TEST(ArchiveReader, ReadsGnuHeaders) {
  const auto read = read_archive(one_member({.name = "base/1/2",
                                             .prefix = std::string("14716052017", 12),
                                             .magic = std::string("ustar  \0", 8)}));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->front().member.path, "base/1/2") << "GNU has a time where ustar has the prefix";
}

TEST(ArchiveReader, ReadsBinaryNumbers) {
  const std::string negative_of_postgres("\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xfe", 12);
  const std::string negative_of_gnu(11, '\xff');
  const auto read =
      read_archive(tar_header({.uid = std::string("\x80\0\0\0\xff\xff\xff\xfe", 8),
                               .mtime = negative_of_postgres}) +
                   tar_header({.size = std::string("\x80\0\0\0\0\0\0\0\0\0\0\x03", 12),
                               .mtime = negative_of_gnu + "\xfd"}) +
                   padded("abc") + kTarEnd);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ((*read)[0].member.info.uid, 0xfffffffeU);
  EXPECT_EQ((*read)[0].member.info.mtime_ns, -2'000'000'000);
  EXPECT_EQ((*read)[1].member.info.mtime_ns, -3'000'000'000);
  EXPECT_EQ((*read)[1].content, "abc");
}

TEST(ArchiveReader, KeepsTimesInsideWhatNanosecondsHold) {
  const auto read = read_archive(
      one_member({.mtime = std::string("\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12)}));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->front().member.info.mtime_ns, 9'223'372'036'000'000'000);
}

TEST(ArchiveReader, RefusesNamesThatLeaveTheTarget) {
  expect_corrupt(one_member({.name = "/etc/passwd"}), "absolute name");
  expect_corrupt(one_member({.name = ".//etc/passwd"}), "absolute name");
  expect_corrupt(one_member({.name = "/", .type = '5'}), "empty component");
  expect_corrupt(one_member({.name = ".."}), "climbs");
  expect_corrupt(one_member({.name = "../x"}), "climbs");
  expect_corrupt(one_member({.name = "./../x"}), "climbs");
  expect_corrupt(one_member({.name = "a/../../x"}), "climbs");
  expect_corrupt(one_member({.name = "a/..", .type = '5'}), "climbs");
  expect_corrupt(one_member({.name = "x", .prefix = ".."}), "climbs");
  expect_corrupt(one_member({.name = "x", .prefix = "/tmp"}), "absolute name");
}

TEST(ArchiveReader, RefusesNamesThatAreNotInNormalForm) {
  expect_corrupt(one_member({.name = ""}), "empty name");
  expect_corrupt(one_member({.name = "."}), "climbs");
  expect_corrupt(one_member({.name = "a//b"}), "empty component");
  expect_corrupt(one_member({.name = "a/./b"}), "climbs");
  expect_corrupt(one_member({.name = "a//", .type = '5'}), "empty component");
  expect_corrupt(one_member({.name = "file/"}), "empty component");
  expect_corrupt(one_member({.name = std::string("base/1\0hidden", 13)}), "NUL");
  expect_corrupt(one_member({.type = '2', .link_target = std::string("a\0b", 3)}), "NUL");
}

TEST(ArchiveReader, TakesTheHistoryFileWhoseNamePgBasebackupCutInPlace) {
  const auto read = read_archive(one_member({.name = std::string("00000002.history\0tmp", 20)}));
  ASSERT_TRUE(read) << read.error().message();
  ASSERT_EQ(read->size(), 1U);
  EXPECT_EQ(read->front().member.path, "00000002.history");
  expect_corrupt(one_member({.name = std::string("00000002.history\0tmq", 20)}), "NUL");
  expect_corrupt(one_member({.name = std::string("00000002.history\0tmp2", 21)}), "NUL");
  expect_corrupt(one_member({.name = std::string("00000002.history\0tmp\0x", 22)}), "NUL");
  expect_corrupt(one_member({.name = std::string("\0tmp", 4)}), "empty name");
}

TEST(ArchiveReader, RefusesNamesLongerThanFileSystemsTakeAndTakesTheLongest) {
  const std::string prefix(155, 'p');
  const auto read =
      read_archive(one_member({.name = std::string(99, 'n') + "/", .type = '5', .prefix = prefix}));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->front().member.path.size(), 255U);
  // A component over 255 bytes has no place in the two fields: 155 of them, a slash, 100.
  EXPECT_EQ(read_archive(one_member({.name = std::string(100, 'n'), .prefix = prefix}))
                ->front()
                .member.path.size(),
            256U);
}

TEST(ArchiveReader, RefusesMembersThatBaseBackupsHaveNoneOf) {
  expect_corrupt(one_member({.type = '1', .link_target = "base/1/1"}), "base/1/16384: hard link");
  for (const char type : {'3', '4', '6'})
    expect_corrupt(one_member({.type = type}), "device or fifo");
  expect_corrupt(one_member({.type = 'S'}), "sparse");
  for (const char type : {'L', 'K', 'x', 'g'}) {
    expect_corrupt(one_member({.type = type}), "pax or GNU extension");
  }
  for (const char type : {'7', 'A', 'D', 'M', 'V', 'X', '\xff'}) {
    expect_corrupt(one_member({.type = type}), "unknown member type");
  }
  expect_corrupt(one_member({.type = '2'}), "symbolic link to nothing");
  expect_corrupt(one_member({.size = octal(1), .type = '5'}), "content");
  expect_corrupt(one_member({.size = octal(1), .type = '2', .link_target = "x"}), "content");
}

TEST(ArchiveReader, RefusesNumbersThatAreNoneOrTooLarge) {
  expect_corrupt(one_member({.size = "0000000000x"}), "not octal");
  expect_corrupt(one_member({.size = "-0000000001"}), "not octal");
  expect_corrupt(one_member({.size = "00000000008"}), "not octal");
  expect_corrupt(one_member({.size = "0 0        "}), "not octal");
  expect_corrupt(one_member({.size = std::string(12, '\xff')}), "not octal");
  expect_corrupt(one_member({.size = std::string("\x80\0\0\0\x80\0\0\0\0\0\0\0", 12)}),
                 "too large");
  expect_corrupt(one_member({.size = std::string("\x80\0\0\x01\0\0\0\0\0\0\0\0", 12)}), "64 bits");
  expect_corrupt(one_member({.uid = std::string("\x80\0\0\x01\0\0\0\0", 8)}), "too large");
}

TEST(ArchiveReader, RefusesHeadersThatAreNotOfTarOrDamaged) {
  expect_corrupt("", "without content");
  expect_corrupt("abc", "without content");
  expect_corrupt(std::string(512, 'x') + kTarEnd, "not a tar header");
  expect_corrupt(one_member({.magic = std::string(8, '\0')}), "not a tar header");
  const std::string whole = tar_file("base/1/1", "content") + kTarEnd;
  for (std::size_t at = 0; at < 512; ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x04);
    EXPECT_EQ(error_of(damaged).code(), ErrorCode::Corrupt) << at;
  }
}

TEST(ArchiveReader, RefusesArchivesThatBreakOffAnywhere) {
  const std::string whole = tar_file("a", seeded_text(700, 3)) + tar_file("b", "") + kTarEnd;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_EQ(error_of(whole.substr(0, length)).code(), ErrorCode::Corrupt) << length;
  }
  EXPECT_EQ(error_of(whole).message(), "");
}

TEST(ArchiveReader, RefusesCompressedArchivesThatBreakOffAnywhere) {
  const std::string whole = tar_file("a", seeded_text(3000, 4)) + kTarEnd;
  for (const int filter : {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_LZ4, ARCHIVE_FILTER_ZSTD}) {
    const std::string stream = compressed(whole, filter);
    for (std::size_t length = 0; length < stream.size(); ++length) {
      EXPECT_EQ(error_of(stream.substr(0, length)).code(), ErrorCode::Corrupt)
          << filter << " " << length;
    }
  }
}

TEST(ArchiveReader, RefusesWhatComesAfterTheEnd) {
  const std::string archive = tar_file("a", "a") + kTarEnd;
  EXPECT_EQ(error_of(archive + std::string(9000, '\0')).message(), "") << "tar fills up with zeros";
  expect_corrupt(archive + archive, "after the archive's end");
  expect_corrupt(archive + "x", "after the archive's end");
  expect_corrupt(tar_file("a", "a") + std::string(512, '\0') + tar_file("b", "b") + kTarEnd,
                 "half an end mark");
}

TEST(ArchiveReader, TakesOnlyOneLayerOfCompressionOff) {
  const std::string archive = tar_file("a", "a") + kTarEnd;
  const std::string once = compressed(archive, ARCHIVE_FILTER_ZSTD);
  expect_corrupt(compressed(once, ARCHIVE_FILTER_GZIP), "");
  expect_corrupt(compressed(archive, ARCHIVE_FILTER_BZIP2), "");
  expect_corrupt(compressed(archive, ARCHIVE_FILTER_XZ), "");
}

TEST(ArchiveReader, PassesErrorsOfTheSourceOnAsTheyAreAndStays) {
  const std::string archive = tar_file("a", seeded_text(100'000, 5)) + kTarEnd;
  for (const int filter :
       {ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_LZ4, ARCHIVE_FILTER_ZSTD}) {
    const std::string stream =
        filter == ARCHIVE_FILTER_NONE ? archive : compressed(archive, filter);
    for (std::size_t failing = 0; failing < stream.size() / 1000; ++failing) {
      auto inner = source_of(stream, 1000);
      const auto source = [&, calls = std::size_t{0}]() mutable -> Result<ByteView> {
        if (calls++ == failing) return Error(ErrorCode::Cancelled, "interrupted");
        return inner();
      };
      const auto read = read_archive(source);
      ASSERT_FALSE(read) << failing;
      EXPECT_EQ(read.error().code(), ErrorCode::Cancelled) << failing;
      EXPECT_EQ(read.error().message(), "interrupted");
    }
  }
}

TEST(ArchiveReader, AnswersAgainWithItsFirstError) {
  auto reader = ArchiveReader::open(source_of(tar_header({.name = "../x"}) + kTarEnd)).value();
  const Error first = reader->next().error();
  EXPECT_EQ(reader->next().error().message(), first.message());
  Bytes buffer(10);
  EXPECT_EQ(reader->read(buffer).error().message(), first.message());
}

TEST(ArchiveReader, ReadsAMemberLargerThanMemoryPieceByPiece) {
  // 16 GiB of zeros in 0.5 MB, of which the header claims a terabyte: an error at the end of what
  // is there, and no memory for what was promised.
  rusage before{};
  getrusage(RUSAGE_SELF, &before);
  const std::string header = tar_header({.size = std::string("\x80\0\0\0\0\0\x01\0\0\0\0\0", 12)});
  const std::string zeros(1 << 20, '\0');
  std::size_t sent = 0;
  auto reader = ArchiveReader::open([&]() -> Result<ByteView> {
                  if (sent++ == 0) return as_bytes(header);
                  return sent < 1000 ? as_bytes(zeros) : ByteView();
                }).value();
  ASSERT_EQ(reader->next().value()->info.size, 1ULL << 40U);
  EXPECT_EQ(reader->next().error().code(), ErrorCode::Corrupt);
  rusage after{};
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 20 * 1024) << "kilobytes";
}

TEST(ArchiveReader, NeedsLittleMemoryForAZipBomb) {
  const std::string bomb =
      compressed(tar_header({.size = octal(256 << 20)}) + std::string(256 << 20, '\0') + kTarEnd,
                 ARCHIVE_FILTER_ZSTD);
  ASSERT_LT(bomb.size(), 100'000U);
  rusage before{};
  getrusage(RUSAGE_SELF, &before);
  auto reader = ArchiveReader::open(source_of(bomb)).value();
  ASSERT_TRUE(reader->next().value().has_value());
  ASSERT_FALSE(reader->next().value().has_value());
  rusage after{};
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 20 * 1024) << "kilobytes";
}

TEST(ArchiveReader, RefusesZstdWindowsAbove128MiB) {
  // Magic, descriptor without content size, window 2^31 (exponent 21), an empty last block.
  const std::string frame("\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00", 9);
  expect_corrupt(frame, "");
}

}  // namespace
}  // namespace pagevault::test
