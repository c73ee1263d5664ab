// Index objects made from a seed, and what an index says of them, as text.

#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "pagevault/base/linux_env.h"
#include "pagevault/repo/chunk_index.h"
#include "pagevault/repo/pack_reader.h"
#include "pagevault/repo/pack_writer.h"

namespace pagevault::repo {

// As text, so that a failure shows what was found.
inline std::string line_of(const BlobLocation& where) {
  return where.pack.id.hex(8) + " #" + std::to_string(where.ordinal) + " @" +
         std::to_string(where.offset) + " " + where.entry.id.hex(8) + " type " +
         std::to_string(static_cast<int>(where.entry.type)) + " enc " +
         std::to_string(static_cast<int>(where.entry.encoding)) + " " +
         std::to_string(where.entry.stored_bytes) + "/" + std::to_string(where.entry.plain_bytes) +
         " base " + where.entry.base.hex(8) + " pack " + std::to_string(where.pack.file_bytes) +
         "/" + std::to_string(static_cast<int>(where.pack.content));
}

namespace fs = std::filesystem;

using Lines = std::vector<std::string>;

template <class Id>
Id random_id(std::mt19937_64& random) {
  Id id;
  for (std::byte& byte : id.bytes) byte = static_cast<std::byte>(random());
  return id;
}

inline BlobEntry random_blob(std::mt19937_64& random) {
  BlobEntry blob;
  blob.id = random_id<ChunkId>(random);
  blob.encoding = static_cast<Encoding>(1 + random() % 4);
  blob.stored_bytes = static_cast<std::uint32_t>(17 + random() % 40'000);
  blob.plain_bytes = blob.stored_bytes - static_cast<std::uint32_t>(kTagBytes);
  if (blob.encoding != Encoding::Raw)
    blob.plain_bytes += static_cast<std::uint32_t>(random() % kMiB);
  if (has_base(blob.encoding)) blob.base = random_id<ChunkId>(random);
  return blob;
}

inline PackDirectory random_pack(std::mt19937_64& random, std::size_t blobs) {
  PackDirectory pack;
  pack.info.id = random_id<PackId>(random);
  pack.info.content = random() % 2 == 0 ? PackContent::Data : PackContent::Metadata;
  for (std::size_t i = 0; i < blobs; ++i) {
    pack.blobs.push_back(random_blob(random));
    pack.blobs.back().type =
        pack.info.content == PackContent::Data ? BlobType::Data : BlobType::Metadata;
  }
  pack.info.file_bytes = pack_file_bytes(pack.blobs);
  return pack;
}

struct Applied {
  IndexId id;
  IndexObject object;
};

inline Applied random_index_object(std::uint64_t seed, std::size_t packs = 3,
                                   std::size_t blobs = 50) {
  std::mt19937_64 random(seed);
  Applied out;
  out.id = random_id<IndexId>(random);
  for (std::size_t i = 0; i < packs; ++i) out.object.packs.push_back(random_pack(random, blobs));
  return out;
}

inline Lines lines_of(const std::vector<BlobLocation>& places) {
  Lines out;
  for (const BlobLocation& place : places) out.push_back(line_of(place));
  return out;
}

// Where the chunks of `object` lie, by chunk.
inline std::map<ChunkId, Lines> places_of(const IndexObject& object) {
  std::map<ChunkId, Lines> out;
  for (const PackDirectory& pack : object.packs) {
    for_each_blob(
        pack, [&out](const BlobLocation& where) { out[where.entry.id].push_back(line_of(where)); });
  }
  return out;
}

// Every chunk of `object` is exactly there, and nowhere else.
inline void expect_holds(ChunkIndex& index, const IndexObject& object) {
  for (const auto& [id, lines] : places_of(object)) {
    const auto found = index.find(id);
    ASSERT_TRUE(found) << found.error().message();
    EXPECT_EQ(lines_of(*found), lines);
    const auto there = index.contains(id);
    ASSERT_TRUE(there);
    EXPECT_TRUE(*there);
  }
}

inline void expect_lacks(ChunkIndex& index, const IndexObject& object) {
  for (const auto& [id, lines] : places_of(object)) {
    const auto found = index.find(id);
    ASSERT_TRUE(found) << found.error().message();
    EXPECT_TRUE(found->empty());
    EXPECT_FALSE(*index.contains(id));
  }
}

inline Lines all_places(ChunkIndex& index) {
  Lines out;
  EXPECT_TRUE(
      index.for_each_blob([&out](const BlobLocation& where) { out.push_back(line_of(where)); }));
  std::sort(out.begin(), out.end());
  return out;
}

inline std::size_t pack_count(ChunkIndex& index) {
  std::size_t count = 0;
  EXPECT_TRUE(index.for_each_pack([&count](const PackInfo&) { ++count; }));
  return count;
}

/// A fresh folder, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = fs::temp_directory_path() / "pagevault-index-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::unique_ptr<ChunkIndex> open_rocks(const std::string& folder,
                                              const std::string& label = "repository") {
  auto index = open_rocks_index({.folder = folder, .label = label, .memory_max = 8 * kMiB});
  EXPECT_TRUE(index) << index.error().message();
  return index ? std::move(*index) : nullptr;
}

inline std::unique_ptr<ChunkIndex> open_recent(const std::string& folder,
                                               std::unique_ptr<ChunkIndex> below) {
  static const std::unique_ptr<Env> kEnv = make_linux_env();
  auto index = open_recent_index(*kEnv, folder, std::move(below));
  EXPECT_TRUE(index) << index.error().message();
  return index ? std::move(*index) : nullptr;
}

}  // namespace pagevault::repo
