// Tar archives by hand: headers with any field wrong, compressed or not, given in pieces.

#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "pagevault/pgsupport/archive_reader.h"

namespace pagevault::test {

/// A ustar header, made without the code under test. Fields are what the bytes say, unchecked.
struct TarFields {
  std::string name = "base/1/16384";
  std::string size = "00000000000";
  char type = '0';
  std::string link_target = {};
  std::string prefix = {};
  std::string mode = "0000600";
  std::string uid = "0000765";
  std::string mtime = "14716052017";
  std::string magic = std::string("ustar\00000", 8);
};

inline std::string tar_header(const TarFields& fields) {
  std::string block(512, '\0');
  const auto put = [&](std::size_t at, const std::string& text) {
    block.replace(at, text.size(), text);
  };
  put(0, fields.name);
  put(100, fields.mode);
  put(108, fields.uid);
  put(116, "0000765");
  put(124, fields.size);
  put(136, fields.mtime);
  put(148, "        ");
  block[156] = fields.type;
  put(157, fields.link_target);
  put(257, fields.magic);
  put(265, "postgres");
  put(297, "postgres");
  put(345, fields.prefix);
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  char text[8];
  std::snprintf(text, sizeof text, "%06o", sum);
  put(148, std::string(text, 7));
  return block;
}

inline std::string octal(std::size_t value) {
  char text[16];
  std::snprintf(text, sizeof text, "%011zo", value);
  return text;
}

inline std::string padded(std::string content) {
  content.resize((content.size() + 511) / 512 * 512);
  return content;
}

inline std::string tar_file(const std::string& name, const std::string& content) {
  return tar_header({.name = name, .size = octal(content.size())}) + padded(content);
}

inline const std::string kTarEnd(1024, '\0');

/// Through libarchive's writer, which the code under test does not use. `filter`: as
/// ARCHIVE_FILTER_ZSTD.
inline std::string compressed(const std::string& plain, int filter) {
  std::string out(plain.size() + plain.size() / 8 + 65536, '\0');
  std::size_t used = 0;
  archive* const writer = archive_write_new();
  EXPECT_EQ(archive_write_add_filter(writer, filter), ARCHIVE_OK);
  archive_write_set_format_raw(writer);
  archive_write_set_bytes_per_block(writer, 0);
  EXPECT_EQ(archive_write_open_memory(writer, out.data(), out.size(), &used), ARCHIVE_OK);
  archive_entry* const entry = archive_entry_new();
  archive_entry_set_filetype(entry, AE_IFREG);
  EXPECT_EQ(archive_write_header(writer, entry), ARCHIVE_OK);
  EXPECT_EQ(archive_write_data(writer, plain.data(), plain.size()),
            static_cast<la_ssize_t>(plain.size()));
  archive_entry_free(entry);
  EXPECT_EQ(archive_write_close(writer), ARCHIVE_OK);
  archive_write_free(writer);
  out.resize(used);
  return out;
}

/// Gives `bytes`, which must outlive it, in pieces of at most `piece`.
inline pgsupport::ArchiveReader::Source source_of(const std::string& bytes,
                                                  std::size_t piece = 65536) {
  return [left = std::string_view(bytes), piece]() mutable -> Result<ByteView> {
    const std::string_view next = left.substr(0, piece);
    left.remove_prefix(next.size());
    return as_bytes(next);
  };
}

struct ReadMember {
  pgsupport::ArchiveMember member;
  std::string content;
};

/// All members and what is in them.
inline Result<std::vector<ReadMember>> read_archive(pgsupport::ArchiveReader::Source source,
                                                    std::size_t read_bytes = 65536) {
  std::vector<ReadMember> members;
  PV_TRY_ASSIGN(auto reader, pgsupport::ArchiveReader::open(std::move(source)));
  while (true) {
    PV_TRY_ASSIGN(auto member, reader->next());
    if (!member) return members;
    members.push_back({.member = std::move(*member), .content = {}});
    Bytes buffer(read_bytes);
    for (std::size_t count = 1; count > 0;) {
      PV_TRY_ASSIGN(count, reader->read(buffer));
      members.back().content += as_text(ByteView(buffer).first(count));
    }
  }
}

inline Result<std::vector<ReadMember>> read_archive(const std::string& bytes,
                                                    std::size_t piece = 65536) {
  return read_archive(source_of(bytes, piece));
}

}  // namespace pagevault::test
