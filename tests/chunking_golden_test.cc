// The cuts of a fixed key on a fixed stream, for ever: repositories deduplicate by them.
// A difference here is not fixed by rewriting the file but by a new chunker kind.

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "chunk_test_data.h"
#include "pagevault/chunker/page_chunker.h"
#include "pagevault/chunker/stream_chunker.h"

namespace pagevault::chunker {
namespace {

using Lengths = std::vector<std::size_t>;

std::string path_of(const std::string& name) {
  return std::string(PAGEVAULT_GOLDEN_DIR) + "/chunking/v1/" + name;
}

void write_lengths(const std::string& name, const Lengths& lengths) {
  std::ofstream out(path_of(name));
  out << "# Chunk lengths in order; made by tests/golden/chunking/rewrite.sh, see "
         "chunking_golden_test.cc\n";
  for (const std::size_t length : lengths) out << length << '\n';
}

Lengths read_lengths(const std::string& name) {
  std::ifstream in(path_of(name));
  std::string comment;
  std::getline(in, comment);
  Lengths lengths;
  for (std::size_t length = 0; in >> length;) lengths.push_back(length);
  return lengths;
}

void compare(const std::string& name, const Lengths& lengths) {
  if (std::getenv("PAGEVAULT_GOLDEN_REWRITE") != nullptr) write_lengths(name, lengths);
  EXPECT_EQ(lengths, read_lengths(name)) << path_of(name);
}

// Key: bytes 1, 2, ... 32. Stream: SplitMix64 of seed 2026, little-endian.
CutKey golden_key() { return test::counting_key<CutKey>(1); }

// Random data, a run of zeros inside and near the start, text that repeats.
Bytes golden_stream(std::size_t size) {
  Bytes data = test::random_bytes(size, 2026);
  std::fill_n(data.begin() + 40'960, 65'536, std::byte{0});
  std::fill_n(data.begin() + 1'048'576, 401'408, std::byte{0});
  std::fill_n(data.begin() + 2'109'440, 12'288, std::byte{0});
  for (std::size_t i = 3'000'000; i < 3'300'000; ++i) data[i] = data[i - 1000];
  return data;
}

TEST(ChunkingGolden, StreamChunkerKind1CutsWhereItAlwaysDid) {
  const auto chunker = StreamChunker::create(golden_key(), {}).value();
  compare("stream-16k-64k-256k.txt", test::cut_all(chunker, golden_stream(16 * kMiB + 777)));
}

TEST(ChunkingGolden, StreamChunkerKind1WithSmallSizesCutsWhereItAlwaysDid) {
  const auto chunker =
      StreamChunker::create(golden_key(), {.min = 500, .target = 2000, .max = 7001}).value();
  compare("stream-500-2000-7001.txt", test::cut_all(chunker, golden_stream(4 * kMiB)));
}

TEST(ChunkingGolden, PageChunkerKind1CutsWhereItAlwaysDid) {
  for (std::uint32_t page = 512; page <= 65536; page *= 2) {
    const auto chunker = PageChunker::create(golden_key(), kPageChunkSizes, page).value();
    compare("page-" + std::to_string(page) + ".txt",
            test::cut_all(chunker, golden_stream(8 * kMiB + 777)));
  }
}

}  // namespace
}  // namespace pagevault::chunker
