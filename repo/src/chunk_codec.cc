#include "pagevault/repo/chunk_codec.h"

#define ZSTD_STATIC_LINKING_ONLY  // Magicless frames, prefixes by reference.
#include <fmt/format.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <array>

namespace pagevault::repo {

namespace {

/// A frame may look back over the largest chunk and the largest base.
constexpr int kWindowLogMax = 24;
static_assert(std::uint64_t{1} << kWindowLogMax >= 2 * kChunkBytesMax);

constexpr std::array<std::pair<std::string_view, Compression>, 5> kNames{{
    {"off", Compression::Off},
    {"fastest", Compression::Fastest},
    {"auto", Compression::Auto},
    {"better", Compression::Better},
    {"max", Compression::Max},
}};

/// Measured: docs/adr/0005-compression-levels.md.
int level_of(Compression compression) {
  switch (compression) {
    case Compression::Off:
    case Compression::Fastest:
      return -3;
    case Compression::Auto:
      return 1;
    case Compression::Better:
      return 6;
    case Compression::Max:
      return 19;
  }
  PV_CHECK(false);
}

/// Chunks up to this length are compressed with a smaller hash table than level 1 would take: as
/// measured in docs/adr/0005-compression-levels.md.
constexpr std::size_t kSmallTableBytesMax = 128 * kKiB;
constexpr int kSmallTableLog = 12;

constexpr int kDeltaLevel = 3;

struct FreeCompressor {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
struct FreeDecompressor {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

/// For calls that fail only when we pass nonsense.
void must(std::size_t code) { PV_CHECK(ZSTD_isError(code) == 0U); }

/// Writes frames of the format: docs/format.md, 4.
std::unique_ptr<ZSTD_CCtx, FreeCompressor> make_compressor(int level) {
  std::unique_ptr<ZSTD_CCtx, FreeCompressor> context(ZSTD_createCCtx());
  PV_CHECK(context != nullptr);
  must(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level));
  must(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_format, ZSTD_f_zstd1_magicless));
  must(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_contentSizeFlag, 0));
  must(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 0));
  must(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_dictIDFlag, 0));
  return context;
}

Error corrupt(std::string_view problem) {
  return {ErrorCode::Corrupt, fmt::format("chunk: {}", problem)};
}

Error zstd_error(std::string_view what, std::size_t code) {
  const bool memory = ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation;
  return {memory ? ErrorCode::NoSpace : ErrorCode::Corrupt,
          fmt::format("chunk: {}: {}", what, ZSTD_getErrorName(code))};
}

}  // namespace

Result<Compression> compression_from_name(std::string_view name) {
  const auto* const found = std::ranges::find(kNames, name, &decltype(kNames)::value_type::first);
  if (found != kNames.end()) return found->second;
  return Error(ErrorCode::InvalidArgument,
               fmt::format("compression is off, fastest, auto, better or max, not '{}'", name));
}

struct ChunkEncoder::State {
  Compression compression;
  std::unique_ptr<ZSTD_CCtx, FreeCompressor> context;  // For plain chunks.
  std::unique_ptr<ZSTD_CCtx, FreeCompressor> delta;    // Made when first needed.
  Bytes out;
};

ChunkEncoder::ChunkEncoder(Compression compression)
    : state_(std::make_unique<State>(State{compression, nullptr, nullptr, {}})) {
  if (compression == Compression::Off) return;
  state_->context = make_compressor(level_of(compression));
}

ChunkEncoder::ChunkEncoder(ChunkEncoder&&) noexcept = default;
ChunkEncoder::~ChunkEncoder() = default;

Result<Encoded> ChunkEncoder::encode(ByteView plain) {
  PV_CHECK(!plain.empty() && plain.size() <= kChunkBytesMax);
  const Encoded raw{.encoding = Encoding::Raw, .bytes = plain};
  if (state_->compression == Compression::Off) return raw;
  // What does not fit is not worth decompressing later: zstd stops as soon as it sees that.
  const std::size_t bytes_max = plain.size() - (plain.size() + 31) / 32;
  if (bytes_max == 0) return raw;
  Bytes& out = state_->out;
  if (out.size() < bytes_max) out.resize(bytes_max);
  if (state_->compression == Compression::Auto) {
    // A hash table that fits the first-level cache beside the chunk: 16 % faster, 1.2 % larger.
    const int hash_log = plain.size() <= kSmallTableBytesMax ? kSmallTableLog : 0;
    must(ZSTD_CCtx_setParameter(state_->context.get(), ZSTD_c_hashLog, hash_log));
  }
  // One call with all input: zstd knows the size and fits its tables to it.
  const std::size_t code =
      ZSTD_compress2(state_->context.get(), out.data(), bytes_max, plain.data(), plain.size());
  if (ZSTD_isError(code) == 0U) return Encoded{Encoding::Zstd, ByteView(out).first(code)};
  if (ZSTD_getErrorCode(code) == ZSTD_error_dstSize_tooSmall) return raw;
  return zstd_error("compress", code);
}

Result<std::optional<Encoded>> ChunkEncoder::encode_delta(ByteView plain, ByteView base,
                                                          std::size_t bytes_max) {
  PV_CHECK(!plain.empty() && plain.size() <= kChunkBytesMax);
  PV_CHECK(!base.empty() && base.size() <= kChunkBytesMax);
  if (!state_->delta) state_->delta = make_compressor(kDeltaLevel);
  Bytes& out = state_->out;
  if (out.size() < bytes_max) out.resize(bytes_max);
  ZSTD_CCtx* const context = state_->delta.get();
  // A frame that did not fit has left the context in its middle.
  must(ZSTD_CCtx_reset(context, ZSTD_reset_session_only));
  must(ZSTD_CCtx_refPrefix(context, base.data(), base.size()));
  const std::size_t code =
      ZSTD_compress2(context, out.data(), bytes_max, plain.data(), plain.size());
  using MaybeEncoded = std::optional<Encoded>;
  if (ZSTD_isError(code) == 0U) {
    return MaybeEncoded(Encoded{Encoding::ZstdDelta, ByteView(out).first(code)});
  }
  if (ZSTD_getErrorCode(code) == ZSTD_error_dstSize_tooSmall) return MaybeEncoded();
  return zstd_error("compress", code);
}

struct ChunkDecoder::State {
  std::unique_ptr<ZSTD_DCtx, FreeDecompressor> context;

  Status set_base(Encoding encoding, ByteView base);
  Status decode_frame(ByteView encoded, MutableBytes plain);
};

Status ChunkDecoder::State::set_base(Encoding encoding, ByteView base) {
  std::size_t code = 0;
  if (encoding == Encoding::ZstdDictionary) {
    code = ZSTD_DCtx_loadDictionary_advanced(context.get(), base.data(), base.size(),
                                             ZSTD_dlm_byRef, ZSTD_dct_auto);
  } else {
    // Without a base this also forgets the dictionary of the call before.
    code = ZSTD_DCtx_refPrefix(context.get(), base.data(), base.size());
  }
  if (ZSTD_isError(code) != 0U) return zstd_error("base", code);
  return ok();
}

/// The streaming call, for it alone reports where the frame ends and refuses wide windows. With a
/// stable output buffer it allocates no window: `plain` is the window.
Status ChunkDecoder::State::decode_frame(ByteView encoded, MutableBytes plain) {
  ZSTD_inBuffer in{encoded.data(), encoded.size(), 0};
  ZSTD_outBuffer out{plain.data(), plain.size(), 0};
  std::size_t code = 1;
  std::size_t progress = 0;
  do {
    progress = in.pos + out.pos;
    code = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(code) != 0U) return zstd_error("frame", code);
  } while (code != 0 && in.pos + out.pos > progress);
  if (code != 0) return corrupt("frame ends early");
  if (in.pos != in.size) return corrupt("bytes after the frame");
  if (out.pos != out.size) {
    return corrupt(fmt::format("frame holds {} bytes, expected {}", out.pos, out.size));
  }
  return ok();
}

ChunkDecoder::ChunkDecoder() : state_(std::make_unique<State>()) {
  state_->context.reset(ZSTD_createDCtx());
  ZSTD_DCtx* const context = state_->context.get();
  PV_CHECK(context != nullptr);
  must(ZSTD_DCtx_setParameter(context, ZSTD_d_format, ZSTD_f_zstd1_magicless));
  must(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, kWindowLogMax));
  must(ZSTD_DCtx_setParameter(context, ZSTD_d_stableOutBuffer, 1));
}

ChunkDecoder::ChunkDecoder(ChunkDecoder&&) noexcept = default;
ChunkDecoder::~ChunkDecoder() = default;

Status ChunkDecoder::decode(Encoding encoding, ByteView encoded, ByteView base,
                            MutableBytes plain) {
  PV_CHECK(has_base(encoding) || base.empty());
  if (encoding == Encoding::Raw) {
    if (encoded.size() != plain.size()) return corrupt("raw length differs");
    std::ranges::copy(encoded, plain.begin());
    return ok();
  }
  if (has_base(encoding) && base.empty()) return corrupt("base is empty");
  must(ZSTD_DCtx_reset(state_->context.get(), ZSTD_reset_session_only));
  PV_TRY(state_->set_base(encoding, base));
  return state_->decode_frame(encoded, plain);
}

}  // namespace pagevault::repo
