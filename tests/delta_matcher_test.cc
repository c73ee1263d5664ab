// Deltas: what the matcher finds adds up to the chunk whatever was edited, the frames give it back,
// and what they take follows what was changed. docs/adr/0010-deltas.md, "How deltas are encoded".

#include "delta_matcher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>

#include "chunk_test_data.h"
#include "pagevault/repo/chunk_codec.h"

namespace pagevault::repo {
namespace {

using test::random_bytes;
using test::SeededStream;

constexpr std::size_t kPageBytes = 4 * kKiB;
constexpr std::size_t kLengthMax = 300 * kKiB;

Bytes joined(std::initializer_list<ByteView> parts) {
  Bytes out;
  for (const ByteView part : parts) append(out, part);
  return out;
}

/// Rows of a table, as text.
Bytes rows(std::size_t size, std::uint64_t seed) {
  SeededStream random(seed);
  std::string text;
  while (text.size() < size) {
    text += "customer " + std::to_string(random.below(100'000)) + " ordered item " +
            std::to_string(random.below(500)) + "\n";
  }
  return to_bytes(as_bytes(std::string_view(text).substr(0, size)));
}

/// A stretch of some bytes.
struct Run {
  std::size_t begin = 0;
  std::size_t length = 0;
};

/// Edits as programs make them, at random.
class Editor {
 public:
  explicit Editor(std::uint64_t seed) : random_(seed) {}

  Bytes content() {
    const std::size_t size = length();
    switch (random_.below(4)) {
      case 0:
        return Bytes(size);
      case 1:
        return rows(size, random_.next());
      case 2:
        return periodic(size);
      default:
        return random_bytes(size, random_.next());
    }
  }

  /// Never empty.
  Bytes edited(Bytes bytes) {
    for (auto edits = random_.below(12); edits > 0 && !bytes.empty(); --edits) edit(bytes);
    if (bytes.size() > kLengthMax) bytes.resize(kLengthMax);
    return bytes.empty() ? Bytes(1) : bytes;
  }

  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }

 private:
  // Short ones as likely as long ones.
  std::size_t length() {
    return std::min<std::size_t>(1 + random_.below(std::size_t{2} << random_.below(19)),
                                 kLengthMax);
  }

  Bytes periodic(std::size_t size) {
    Bytes out = random_bytes(1 + random_.below(40), random_.next());
    while (out.size() < size) append(out, to_bytes(out));
    out.resize(size);
    return out;
  }

  Run some_run(const Bytes& bytes) {
    const std::size_t begin = random_.below(bytes.size());
    return {begin, std::min(length() / 8, bytes.size() - begin)};
  }

  static auto place(Bytes& bytes, std::size_t at) {
    return bytes.begin() + static_cast<std::ptrdiff_t>(at);
  }

  Bytes cut_out(Bytes& bytes, Run run) {
    Bytes out = to_bytes(ByteView(bytes).subspan(run.begin, run.length));
    bytes.erase(place(bytes, run.begin), place(bytes, run.begin + run.length));
    return out;
  }

  void insert(Bytes& bytes, const Bytes& more) {
    bytes.insert(place(bytes, random_.below(bytes.size() + 1)), more.begin(), more.end());
  }

  void edit(Bytes& bytes) {
    const Run run = some_run(bytes);
    switch (random_.below(6)) {
      case 0:
        std::ranges::copy(random_bytes(run.length, random_.next()), place(bytes, run.begin));
        break;
      case 1:
        cut_out(bytes, run);
        break;
      case 2:
        insert(bytes, cut_out(bytes, run));
        break;
      case 3:
        insert(bytes, to_bytes(ByteView(bytes).subspan(run.begin, run.length)));
        break;
      case 4:
        insert(bytes, random_bytes(run.length, random_.next()));
        break;
      default:
        swap_pages(bytes);
    }
  }

  void swap_pages(Bytes& bytes) {
    const std::size_t pages = bytes.size() / kPageBytes;
    if (pages < 2) return;
    const std::size_t a = random_.below(pages) * kPageBytes;
    const std::size_t b = random_.below(pages) * kPageBytes;
    if (a == b) return;
    std::swap_ranges(place(bytes, a), place(bytes, a + kPageBytes), place(bytes, b));
  }

  SeededStream random_;
};

/// What a decoder makes of `found`: literals come from `plain`, all else from what it has already.
Bytes applied(std::span<const ZSTD_Sequence> found, ByteView plain, ByteView base) {
  Bytes window = to_bytes(base);
  for (const ZSTD_Sequence& sequence : found) {
    append(window, plain.subspan(window.size() - base.size(), sequence.litLength));
    if (sequence.matchLength != 0 && (sequence.offset == 0 || sequence.offset > window.size())) {
      ADD_FAILURE() << "offset " << sequence.offset << " at " << window.size();
      return {};
    }
    for (unsigned i = 0; i < sequence.matchLength; ++i) {
      window.push_back(window[window.size() - sequence.offset]);
    }
  }
  return to_bytes(ByteView(window).subspan(base.size()));
}

Bytes decoded(ByteView frame, ByteView base, std::size_t size) {
  Bytes plain(size);
  const Status done = ChunkDecoder().decode(Encoding::ZstdDelta, frame, base, plain);
  EXPECT_TRUE(done) << done.error().message();
  return plain;
}

/// How long the delta is; it gives back `plain`.
std::size_t delta_bytes(const Bytes& plain, const Bytes& base) {
  ChunkEncoder encoder(Compression::Auto);
  const auto encoded = encoder.encode_delta(plain, base, plain.size() + 100);
  if (!encoded || !*encoded) {
    ADD_FAILURE() << "no delta";
    return SIZE_MAX;
  }
  EXPECT_TRUE(decoded((*encoded)->bytes, base, plain.size()) == plain);
  return (*encoded)->bytes.size();
}

TEST(DeltaMatcher, FindsWhatAddsUpToTheChunkWhateverWasEdited) {
  DeltaMatcher matcher;  // One for all: what earlier chunks left in its tables must not matter.
  for (std::uint64_t seed = 0; seed < 1500; ++seed) {
    Editor editor(seed);
    const Bytes base = editor.content();
    Bytes plain = editor.below(20) == 0 ? editor.content() : editor.edited(base);
    plain.resize(std::min<std::size_t>(plain.size(), DeltaMatcher::kPlainBytesMax));
    EXPECT_TRUE(applied(matcher.find(plain, base), plain, base) == plain) << "seed=" << seed;
  }
}

TEST(DeltaMatcher, TakesEmptyChunksAndBases) {
  DeltaMatcher matcher;
  const Bytes some = rows(100, 1);
  for (const auto& [plain, base] : {std::pair(Bytes(), some), std::pair(some, Bytes()),
                                    std::pair(Bytes(), Bytes()), std::pair(Bytes(3), Bytes(2))}) {
    EXPECT_TRUE(applied(matcher.find(plain, base), plain, base) == plain);
  }
}

TEST(Delta, GivesBackTheChunkWhateverWasEdited) {  // covers S19
  ChunkEncoder encoder(Compression::Auto);
  for (std::uint64_t seed = 0; seed < 1500; ++seed) {
    Editor editor(seed + 10'000);
    const Bytes base = editor.content();
    const Bytes plain = editor.below(20) == 0 ? editor.content() : editor.edited(base);
    const auto encoded = encoder.encode_delta(plain, base, plain.size() + 100);
    ASSERT_TRUE(encoded && *encoded) << "seed=" << seed;
    EXPECT_TRUE(decoded((*encoded)->bytes, base, plain.size()) == plain) << "seed=" << seed;
  }
}

TEST(Delta, IsNeverLongerThanAllowed) {
  ChunkEncoder encoder(Compression::Auto);
  const Bytes base = random_bytes(64 * kKiB, 1);
  for (const std::size_t changed : {10U, 300U, 5000U}) {
    const Bytes plain = joined({random_bytes(changed, 2), ByteView(base).subspan(changed)});
    const std::size_t bytes = delta_bytes(plain, base);
    const auto exact = encoder.encode_delta(plain, base, bytes);
    ASSERT_TRUE(exact && *exact);
    EXPECT_EQ((*exact)->bytes.size(), bytes);
    for (const std::size_t bytes_max : {bytes - 1, bytes / 2, std::size_t{1}, std::size_t{0}}) {
      const auto shorter = encoder.encode_delta(plain, base, bytes_max);
      ASSERT_TRUE(shorter);
      EXPECT_FALSE(*shorter) << "bytes_max=" << bytes_max;
    }
  }
}

TEST(Delta, OfAnEqualChunkTakesNextToNothing) {
  for (const std::size_t size : {std::size_t{100}, 64 * kKiB, 128 * kKiB, 256 * kKiB}) {
    const Bytes base = random_bytes(size, 1);
    const Bytes plain = random_bytes(size, 1);  // zstd forgets a prefix that is the input.
    EXPECT_LE(delta_bytes(plain, base), 30U) << "size=" << size;
  }
}

TEST(Delta, OfValuesChangedInPlaceTakesThemAndFiveBytesEach) {
  const Bytes base = random_bytes(64 * kKiB, 1);
  Bytes plain = base;
  for (std::size_t i = 0; i < 16; ++i) {
    std::ranges::copy(random_bytes(8, i), plain.begin() + static_cast<long>(i * 4000 + 77));
  }
  EXPECT_LE(delta_bytes(plain, base), 16 * (8 + 5) + 20);
}

TEST(Delta, OfAnInsertionOrDeletionTakesTheNewBytes) {
  for (const std::size_t size : {64 * kKiB, 120 * kKiB, 250 * kKiB}) {
    const Bytes base = random_bytes(size, 1);
    const auto head = ByteView(base).first(20'000);
    const auto tail = ByteView(base).subspan(20'000);
    EXPECT_LE(delta_bytes(joined({head, random_bytes(3000, 2), tail}), base), 3050U);
    EXPECT_LE(delta_bytes(joined({head, tail.subspan(9000)}), base), 50U);
    EXPECT_LE(delta_bytes(joined({tail, head}), base), 60U);
  }
}

TEST(Delta, OfReorderedPagesTakesAFewBytesAPage) {
  const Bytes base = random_bytes(16 * kPageBytes, 1);
  Bytes plain;
  for (std::size_t i = 0; i < 16; ++i) {
    append(plain, ByteView(base).subspan((i * 7 + 3) % 16 * kPageBytes, kPageBytes));
  }
  EXPECT_LE(delta_bytes(plain, base), 16 * 8U);
}

TEST(Delta, OfMapNodesIsHardlyLongerThanTheChangedRecords) {
  // docs/format.md, 5 "Span node": a form and a length that often repeat, then 52 bytes of chance.
  constexpr std::size_t kRecord = 56;
  constexpr std::size_t kRecords = 1000;
  SeededStream random(1);
  for (const std::size_t percent : {3U, 10U, 40U, 80U}) {
    Bytes base = random_bytes(kRecords * kRecord, 2);
    const Bytes other = random_bytes(kRecords * kRecord, 3);
    Bytes plain = base;
    std::size_t changed = 0;
    for (std::size_t i = 0; i < kRecords; ++i) {
      if (random.below(100) >= percent) continue;
      changed += kRecord - 4;
      std::copy_n(other.begin() + static_cast<long>(i * kRecord), kRecord - 4,
                  plain.begin() + static_cast<long>(i * kRecord + 1));
    }
    EXPECT_LE(delta_bytes(plain, base), changed + changed * 3 / 100 + 60) << percent << " %";
    RecordProperty("bytes at " + std::to_string(percent),
                   std::to_string(delta_bytes(plain, base)) + " of " + std::to_string(changed));
  }
}

TEST(Delta, IsAFrameOfTheFormat) {
  const Bytes base = rows(64 * kKiB, 1);
  Bytes plain = base;
  plain[5000] ^= std::byte{1};
  ChunkEncoder encoder(Compression::Auto);
  const auto encoded = encoder.encode_delta(plain, base, 1000);
  ASSERT_TRUE(encoded && *encoded);
  const ByteView frame = (*encoded)->bytes;
  ZSTD_frameHeader header{};
  ASSERT_EQ(
      ZSTD_getFrameHeader_advanced(&header, frame.data(), frame.size(), ZSTD_f_zstd1_magicless),
      0U);
  EXPECT_EQ(frame.front(), std::byte{0});
  EXPECT_EQ(header.frameContentSize, ZSTD_CONTENTSIZE_UNKNOWN);
  EXPECT_EQ(header.checksumFlag, 0U);
  EXPECT_EQ(header.dictID, 0U);
  EXPECT_GE(header.windowSize, plain.size());  // Else no match may reach into the prefix.
  EXPECT_LE(header.windowSize, 128 * kKiB);
}

}  // namespace
}  // namespace pagevault::repo
