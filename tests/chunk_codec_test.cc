// Encodings of chunks: docs/format.md, 4 "Encodings". What only readers must know is made by zstd
// itself here.

#include "pagevault/repo/chunk_codec.h"

#define ZSTD_STATIC_LINKING_ONLY  // Magicless frames.
#include <gtest/gtest.h>
#include <zdict.h>
#include <zstd.h>

#include <random>

namespace pagevault::repo {
namespace {

constexpr Compression kLevels[] = {Compression::Fastest, Compression::Auto, Compression::Better,
                                   Compression::Max};

template <class T>
ErrorCode code_of(const Result<T>& result) {
  if (!result) return result.error().code();
  ADD_FAILURE() << "succeeded";
  return ErrorCode::Cancelled;
}

Bytes noise(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  Bytes out(size);
  for (std::byte& b : out) b = static_cast<std::byte>(random());
  return out;
}

/// Rows of a table, as text: compressible like a database page.
Bytes rows(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string text;
  while (text.size() < size) {
    text += "customer " + std::to_string(random() % 100'000) + " ordered item " +
            std::to_string(random() % 500) + " on 2025-11-" + std::to_string(10 + random() % 20) +
            "\n";
  }
  return to_bytes(as_bytes(std::string_view(text).substr(0, size)));
}

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
using Compressor = std::unique_ptr<ZSTD_CCtx, FreeContext>;

/// A compressor as the format wants it.
Compressor magicless_compressor() {
  Compressor context(ZSTD_createCCtx());
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_format, ZSTD_f_zstd1_magicless);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_contentSizeFlag, 0);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 0);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_dictIDFlag, 0);
  return context;
}

Bytes compress(ZSTD_CCtx* context, ByteView plain) {
  Bytes out(ZSTD_compressBound(plain.size()));
  const std::size_t size =
      ZSTD_compress2(context, out.data(), out.size(), plain.data(), plain.size());
  EXPECT_EQ(ZSTD_isError(size), 0U);
  out.resize(size);
  return out;
}

Bytes plain_frame(ByteView plain) { return compress(magicless_compressor().get(), plain); }

Bytes delta_frame(ByteView base, ByteView plain) {
  const Compressor context = magicless_compressor();
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, 24);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_enableLongDistanceMatching, 1);
  ZSTD_CCtx_refPrefix(context.get(), base.data(), base.size());
  return compress(context.get(), plain);
}

Bytes dictionary_frame(ByteView dictionary, ByteView plain) {
  const Compressor context = magicless_compressor();
  ZSTD_CCtx_loadDictionary(context.get(), dictionary.data(), dictionary.size());
  return compress(context.get(), plain);
}

Bytes trained_dictionary() {
  Bytes samples;
  std::vector<std::size_t> sizes;
  for (unsigned i = 0; i < 500; ++i) {
    append(samples, rows(2000, i));
    sizes.push_back(2000);
  }
  Bytes dictionary(16 * kKiB);
  const std::size_t size = ZDICT_trainFromBuffer(dictionary.data(), dictionary.size(),
                                                 samples.data(), sizes.data(), 500);
  EXPECT_EQ(ZDICT_isError(size), 0U);
  dictionary.resize(size);
  return dictionary;
}

TEST(ChunkCodec, GivesBackEveryChunkAtEveryLevel) {
  ChunkDecoder decoder;
  for (const Compression level : kLevels) {
    ChunkEncoder encoder(level);
    for (const std::size_t size :
         {std::size_t{1}, std::size_t{31}, std::size_t{4096}, 64 * kKiB, 65 * kKiB + 1, 3 * kMiB}) {
      for (const Bytes& plain : {rows(size, 1), Bytes(size), noise(size, 1)}) {
        const auto encoded = encoder.encode(plain);
        ASSERT_TRUE(encoded) << encoded.error().message();
        Bytes decoded(size);
        const Status done = decoder.decode(encoded->encoding, encoded->bytes, {}, decoded);
        ASSERT_TRUE(done) << done.error().message() << " size=" << size;
        EXPECT_TRUE(decoded == plain) << "size=" << size;
      }
    }
  }
}

/// `plain` with `count` bytes of noise in its middle.
Bytes changed(Bytes plain, std::size_t count, unsigned seed) {
  const Bytes fresh = noise(count, seed);
  std::ranges::copy(fresh, plain.begin() + static_cast<std::ptrdiff_t>(plain.size() / 2));
  return plain;
}

TEST(ChunkCodec, ADeltaTakesWhatChangedAndGivesBackTheChunk) {
  ChunkDecoder decoder;
  for (const Compression level : {Compression::Off, Compression::Auto, Compression::Max}) {
    ChunkEncoder encoder(level);
    for (const std::size_t size : {std::size_t{5000}, 64 * kKiB, 256 * kKiB}) {
      const Bytes base = noise(size, 1);
      const Bytes plain = changed(base, 200, 2);
      const auto encoded = encoder.encode_delta(plain, base, size / 3);
      ASSERT_TRUE(encoded && *encoded) << "size=" << size;
      EXPECT_EQ((*encoded)->encoding, Encoding::ZstdDelta);
      EXPECT_LT((*encoded)->bytes.size(), 300U);
      Bytes decoded(size);
      ASSERT_TRUE(decoder.decode(Encoding::ZstdDelta, (*encoded)->bytes, base, decoded));
      EXPECT_TRUE(decoded == plain);
    }
  }
}

TEST(ChunkCodec, ADeltaThatWouldBeTooLongIsNoneAndTheEncoderGoesOn) {
  ChunkEncoder encoder(Compression::Auto);
  const Bytes base = noise(64 * kKiB, 1);
  const Bytes other = noise(64 * kKiB, 2);
  const auto none = encoder.encode_delta(other, base, 20'000);
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  const auto again = encoder.encode_delta(changed(base, 50, 3), base, 20'000);
  ASSERT_TRUE(again);
  EXPECT_TRUE(*again);
}

TEST(ChunkCodec, GivesBackTheLargestChunk) {  // covers S15
  const Bytes plain = rows(kChunkBytesMax, 1);
  ChunkEncoder encoder(Compression::Auto);
  const auto encoded = encoder.encode(plain);
  Bytes decoded(plain.size());
  ASSERT_TRUE(ChunkDecoder().decode(encoded->encoding, encoded->bytes, {}, decoded));
  EXPECT_TRUE(decoded == plain);
}

TEST(ChunkCodec, StoresRowsCompressedAndNoiseRaw) {
  for (const Compression level : kLevels) {
    ChunkEncoder encoder(level);
    const Bytes incompressible = noise(64 * kKiB, 1);
    const auto raw = encoder.encode(incompressible);
    EXPECT_EQ(raw->encoding, Encoding::Raw);
    EXPECT_EQ(raw->bytes.data(), incompressible.data());  // Not even copied.
    const auto zstd = encoder.encode(rows(64 * kKiB, 1));
    EXPECT_EQ(zstd->encoding, Encoding::Zstd);
    EXPECT_LT(zstd->bytes.size(), 32 * kKiB);
  }
  ChunkEncoder off(Compression::Off);
  EXPECT_EQ(off.encode(Bytes(64 * kKiB))->encoding, Encoding::Raw);
}

TEST(ChunkCodec, StoresRawWhatIsNotOneThirtySecondSmaller) {
  // Noise with a little to gain at the end, more and more of it.
  ChunkEncoder encoder(Compression::Auto);
  for (std::size_t zeros = 0; zeros < 6000; zeros += 100) {
    Bytes plain = noise(64 * kKiB, 1);
    std::fill_n(plain.end() - static_cast<std::ptrdiff_t>(zeros), zeros, std::byte{0});
    const auto encoded = encoder.encode(plain);
    if (encoded->encoding == Encoding::Raw) continue;
    EXPECT_LE(encoded->bytes.size(), 62 * kKiB) << "zeros=" << zeros;
    EXPECT_GE(zeros, 2000U);
  }
  Bytes plain = noise(64 * kKiB, 1);
  std::fill_n(plain.begin(), 6000, std::byte{0});
  EXPECT_EQ(encoder.encode(plain)->encoding, Encoding::Zstd);
}

TEST(ChunkCodec, WritesFramesWithoutMagicSizeChecksumOrDictionaryId) {
  const Bytes plain = rows(64 * kKiB, 1);
  for (const Compression level : kLevels) {
    ChunkEncoder encoder(level);
    const auto encoded = encoder.encode(plain);
    ZSTD_frameHeader header{};
    ASSERT_EQ(ZSTD_getFrameHeader_advanced(&header, encoded->bytes.data(), encoded->bytes.size(),
                                           ZSTD_f_zstd1_magicless),
              0U);
    EXPECT_EQ(header.frameContentSize, ZSTD_CONTENTSIZE_UNKNOWN);
    EXPECT_EQ(header.checksumFlag, 0U);
    EXPECT_EQ(header.dictID, 0U);
    EXPECT_EQ(header.windowSize, 64 * kKiB);  // Tables fit the chunk, not the level.
  }
}

TEST(ChunkCodec, ReadsDeltasAgainstTheirBase) {
  ChunkDecoder decoder;
  for (const std::size_t size : {64 * kKiB, kChunkBytesMax + 0}) {
    const Bytes base = noise(size, 1);
    Bytes plain = base;
    plain[size / 2] ^= std::byte{1};
    const Bytes frame = delta_frame(base, plain);
    EXPECT_LT(frame.size(), size / 50);
    Bytes decoded(size);
    const Status done = decoder.decode(Encoding::ZstdDelta, frame, base, decoded);
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_TRUE(decoded == plain);
  }
}

TEST(ChunkCodec, ReadsFramesWithTrainedAndRawDictionaries) {
  ChunkDecoder decoder;
  const Bytes plain = rows(64 * kKiB, 9);
  for (const Bytes& dictionary : {trained_dictionary(), rows(20'000, 3)}) {
    Bytes decoded(plain.size());
    const Bytes frame = dictionary_frame(dictionary, plain);
    ASSERT_TRUE(decoder.decode(Encoding::ZstdDictionary, frame, dictionary, decoded));
    EXPECT_TRUE(decoded == plain);
    // The base of one call is forgotten in the next.
    EXPECT_FALSE(decoder.decode(Encoding::Zstd, frame, {}, decoded));
    ASSERT_TRUE(decoder.decode(Encoding::Zstd, plain_frame(plain), {}, decoded));
    EXPECT_TRUE(decoded == plain);
  }
}

TEST(ChunkCodec, RefusesABaseThatIsMissing) {
  const Bytes plain = rows(1000, 1);
  Bytes decoded(plain.size());
  ChunkDecoder decoder;
  for (const Encoding encoding : {Encoding::ZstdDelta, Encoding::ZstdDictionary}) {
    EXPECT_EQ(code_of(decoder.decode(encoding, plain_frame(plain), {}, decoded)),
              ErrorCode::Corrupt);
  }
}

TEST(ChunkCodec, RefusesEveryOtherPlainLength) {
  const Bytes plain = rows(5000, 1);
  const Bytes frame = plain_frame(plain);
  ChunkDecoder decoder;
  for (const std::size_t wrong : {1U, 4999U, 5001U, 64'000U}) {
    Bytes decoded(wrong);
    EXPECT_EQ(code_of(decoder.decode(Encoding::Zstd, frame, {}, decoded)), ErrorCode::Corrupt);
    EXPECT_EQ(code_of(decoder.decode(Encoding::Raw, plain, {}, decoded)), ErrorCode::Corrupt);
  }
  Bytes decoded(5000);
  EXPECT_TRUE(decoder.decode(Encoding::Zstd, frame, {}, decoded));
}

TEST(ChunkCodec, StopsABombAtThePlainLength) {  // covers F6.4
  const Bytes bomb = plain_frame(Bytes(256 * kMiB));
  EXPECT_LT(bomb.size(), 100 * kKiB);
  ChunkDecoder decoder;
  Bytes decoded(64 * kKiB + 1, std::byte{0x55});
  const MutableBytes room = MutableBytes(decoded).first(64 * kKiB);
  EXPECT_EQ(code_of(decoder.decode(Encoding::Zstd, bomb, {}, room)), ErrorCode::Corrupt);
  EXPECT_EQ(decoded.back(), std::byte{0x55});
}

TEST(ChunkCodec, RefusesAWindowLargerThanAnyChunkAndBase) {  // covers S15, I14
  const Bytes plain = rows(100'000, 1);
  ChunkDecoder decoder;
  for (const int window_log : {24, 25, 27}) {
    // Streamed, so that zstd does not know the size and keeps the window.
    const Compressor context = magicless_compressor();
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, window_log);
    Bytes frame(ZSTD_compressBound(plain.size()));
    ZSTD_outBuffer out{frame.data(), frame.size(), 0};
    ZSTD_inBuffer first{plain.data(), 10, 0};
    ZSTD_compressStream2(context.get(), &out, &first, ZSTD_e_continue);
    ZSTD_inBuffer rest{plain.data(), plain.size(), 10};
    ASSERT_EQ(ZSTD_compressStream2(context.get(), &out, &rest, ZSTD_e_end), 0U);
    frame.resize(out.pos);
    Bytes decoded(plain.size());
    EXPECT_EQ(decoder.decode(Encoding::Zstd, frame, {}, decoded).has_value(), window_log == 24);
  }
}

TEST(ChunkCodec, RefusesTruncatedExtendedAndRepeatedFrames) {  // covers F5.2
  const Bytes plain = rows(3000, 1);
  const Bytes frame = plain_frame(plain);
  ChunkDecoder decoder;
  Bytes decoded(plain.size());
  for (std::size_t length = 0; length < frame.size(); ++length) {
    const ByteView cut = ByteView(frame).first(length);
    EXPECT_EQ(code_of(decoder.decode(Encoding::Zstd, cut, {}, decoded)), ErrorCode::Corrupt);
  }
  Bytes longer = frame;
  longer.push_back(std::byte{0});
  EXPECT_EQ(code_of(decoder.decode(Encoding::Zstd, longer, {}, decoded)), ErrorCode::Corrupt);
  Bytes twice = frame;
  append(twice, frame);
  Bytes both(2 * plain.size());
  EXPECT_EQ(code_of(decoder.decode(Encoding::Zstd, twice, {}, both)), ErrorCode::Corrupt);
  EXPECT_TRUE(decoder.decode(Encoding::Zstd, frame, {}, decoded));  // Still of use.
}

TEST(ChunkCodec, SurvivesMutationsOfAFrame) {  // covers S16, F5.1
  const Bytes plain = rows(5000, 1);
  const Bytes base = rows(5000, 2);
  ChunkDecoder decoder;
  Bytes decoded(plain.size());
  for (const Encoding encoding : {Encoding::Zstd, Encoding::ZstdDelta, Encoding::ZstdDictionary}) {
    const Bytes frame = delta_frame(base, plain);
    for (unsigned seed = 0; seed < 5000; ++seed) {
      std::mt19937 random(seed);
      Bytes changed = frame;
      for (auto i = 1 + random() % 4; i > 0; --i) {
        changed[random() % changed.size()] = static_cast<std::byte>(random());
      }
      const ByteView with_base = has_base(encoding) ? ByteView(base) : ByteView();
      decoder.decode(encoding, changed, with_base, decoded).ignore("must only not crash");
    }
  }
}

TEST(ChunkCodec, KnowsItsLevelsByName) {
  EXPECT_EQ(*compression_from_name("auto"), Compression::Auto);
  EXPECT_EQ(*compression_from_name("max"), Compression::Max);
  EXPECT_EQ(code_of(compression_from_name("ultra")), ErrorCode::InvalidArgument);
}

}  // namespace
}  // namespace pagevault::repo
