// Archives that restores write: libarchive's own tar reader and ours read them back.

#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pagevault/pgsupport/archive_reader.h"
#include "tar_vocabulary.h"

namespace pagevault::test {
namespace {

using pgsupport::ArchiveMember;
using pgsupport::ArchiveWriter;
using ::testing::HasSubstr;

ArchiveMember member_of(const std::string& path, FileType type, std::uint64_t size = 0) {
  ArchiveMember member;
  member.path = path;
  member.info = {.type = type, .mode = 0640, .uid = 105, .gid = 3'000'000'000U, .size = size};
  member.info.mtime_ns = 1'700'000'001'999'999'999;
  member.user = "postgres";
  member.group = "staff";
  if (type == FileType::Symlink) member.link_target = "/srv/fast disk";
  return member;
}

ArchiveWriter::Sink into(std::string& out) {
  return [&out](ByteView bytes) {
    out += as_text(bytes);
    return ok();
  };
}

// One folder, one link, files of some sizes and with long names.
std::string written() {
  std::string out;
  auto writer = ArchiveWriter::create(into(out)).value();
  EXPECT_TRUE(writer->begin(member_of("base", FileType::Directory)));
  EXPECT_TRUE(writer->begin(member_of("pg_tblspc/16384", FileType::Symlink)));
  for (const std::size_t size : {0U, 1U, 511U, 512U, 513U}) {
    EXPECT_TRUE(writer->begin(member_of("base/" + std::to_string(size), FileType::Regular, size)));
    EXPECT_TRUE(writer->write(as_bytes(std::string(size, 'a'))));
  }
  EXPECT_TRUE(writer->begin(member_of(std::string(100, 'n'), FileType::Regular)));
  EXPECT_TRUE(writer->begin(
      member_of(std::string(155, 'p') + "/" + std::string(100, 'n'), FileType::Regular)));
  EXPECT_TRUE(writer->finish());
  return out;
}

TEST(ArchiveWriter, IsReadBackByOurReader) {
  const auto read = read_archive(written());
  ASSERT_TRUE(read) << read.error().message();
  ASSERT_EQ(read->size(), 9U);
  EXPECT_EQ((*read)[0].member.info.type, FileType::Directory);
  const ArchiveMember& link = (*read)[1].member;
  EXPECT_EQ(link.path + ">" + link.link_target, "pg_tblspc/16384>/srv/fast disk");
  const ArchiveMember& file = (*read)[6].member;
  EXPECT_EQ(file.path, "base/513");
  EXPECT_EQ(file.info.mode, 0640U);
  EXPECT_EQ(file.info.uid, 105U);
  EXPECT_EQ(file.info.gid, 3'000'000'000U);
  EXPECT_EQ(file.info.mtime_ns, 1'700'000'001'000'000'000);
  EXPECT_EQ(file.user + ":" + file.group, "postgres:staff");
  EXPECT_EQ((*read)[6].content, std::string(513, 'a'));
  EXPECT_EQ((*read)[8].member.path.size(), 256U);
}

TEST(ArchiveWriter, IsReadByLibarchiveAsPlainUstar) {
  const std::string bytes = written();
  EXPECT_EQ(bytes.size() % 512, 0U);
  archive* const reader = archive_read_new();
  archive_read_support_format_tar(reader);
  ASSERT_EQ(archive_read_open_memory(reader, bytes.data(), bytes.size()), ARCHIVE_OK);
  std::string listing;
  archive_entry* entry = nullptr;
  while (archive_read_next_header(reader, &entry) == ARCHIVE_OK) {
    EXPECT_EQ(archive_format(reader), ARCHIVE_FORMAT_TAR_USTAR);
    EXPECT_EQ(archive_entry_mtime(entry), 1'700'000'001);
    EXPECT_EQ(archive_entry_gid(entry), 3'000'000'000);
    const std::string name = archive_entry_pathname(entry);
    listing += name.substr(name.size() > 20 ? name.size() - 3 : 0) + " " +
               std::to_string(archive_entry_size(entry)) + "\n";
  }
  EXPECT_EQ(archive_errno(reader), 0) << archive_error_string(reader);
  archive_read_free(reader);
  EXPECT_EQ(listing,
            "base/ 0\npg_tblspc/16384 0\nbase/0 0\nbase/1 1\nbase/511 511\nbase/512 512\n"
            "base/513 513\nnnn 0\nnnn 0\n");
}

TEST(ArchiveWriter, WritesSizesAboveEightGibibytesInBinary) {
  std::string out;
  auto writer = ArchiveWriter::create(into(out)).value();
  ASSERT_TRUE(writer->begin(member_of("big", FileType::Regular, 9ULL << 30U)));
  auto reader = pgsupport::ArchiveReader::open(source_of(out)).value();
  EXPECT_EQ(reader->next().value()->info.size, 9ULL << 30U);
}

TEST(ArchiveWriter, RefusesWhatAnArchiveOfABackupCannotHold) {
  std::string out;
  auto writer = ArchiveWriter::create(into(out)).value();
  ArchiveMember nul = member_of("a", FileType::Regular);
  nul.path += std::string("\0b", 2);
  ArchiveMember no_target = member_of("l", FileType::Symlink);
  no_target.link_target.clear();
  ArchiveMember long_target = no_target;
  long_target.link_target = std::string(101, 't');
  for (const ArchiveMember& member :
       {member_of("", FileType::Regular), member_of("/a", FileType::Regular),
        member_of("a/../b", FileType::Regular), member_of(std::string(101, 'n'), FileType::Regular),
        member_of(std::string(156, 'p') + "/" + std::string(100, 'n'), FileType::Regular),
        member_of("a", FileType::Fifo), member_of("a", FileType::Directory, 1), nul, no_target,
        long_target}) {
    const Status begun = writer->begin(member);
    ASSERT_FALSE(begun) << member.path;
    EXPECT_EQ(begun.error().code(), ErrorCode::InvalidArgument);
  }
  EXPECT_EQ(out, "") << "nothing was written of any";
}

TEST(ArchiveWriter, HoldsTheCallerToTheSizeItAnnounced) {
  std::string out;
  auto writer = ArchiveWriter::create(into(out)).value();
  ASSERT_TRUE(writer->begin(member_of("a", FileType::Regular, 3)));
  EXPECT_THAT(writer->write(as_bytes("abcd")).error().message(), HasSubstr("a: more bytes"));
  ASSERT_TRUE(writer->write(as_bytes("ab")));
  EXPECT_THAT(writer->begin(member_of("b", FileType::Regular)).error().message(),
              HasSubstr("a: 1 bytes fewer"));
  EXPECT_FALSE(writer->finish());
  ASSERT_TRUE(writer->write(as_bytes("c")));
  EXPECT_TRUE(writer->finish());
}

TEST(ArchiveWriter, AnswersAgainWithTheFirstErrorOfItsSink) {
  int calls = 0;
  auto writer = ArchiveWriter::create([&](ByteView) -> Status {
                  return ++calls == 2 ? Error(ErrorCode::NoSpace, "disk full") : ok();
                }).value();
  ASSERT_TRUE(writer->begin(member_of("a", FileType::Regular, 3)));
  EXPECT_EQ(writer->write(as_bytes("abc")).error().code(), ErrorCode::NoSpace);
  EXPECT_EQ(writer->write(as_bytes("abc")).error().code(), ErrorCode::NoSpace);
  EXPECT_EQ(writer->finish().error().message(), "disk full");
  EXPECT_EQ(calls, 2) << "a gap is not written over";
}

}  // namespace
}  // namespace pagevault::test
