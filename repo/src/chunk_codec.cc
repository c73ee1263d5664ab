#include "pagevault/repo/chunk_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "delta_encoder.h"
#include "dictionary_encoder.h"
#include "zstd_contexts.h"

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

/// Chunks up to this length are compressed with a smaller hash table than the level would take:
/// docs/adr/0005-compression-levels.md, and for fastest 0009-dictionaries.md.
constexpr std::size_t kSmallTableBytesMax = 128 * kKiB;
int small_table_log(Compression compression) {
  if (compression == Compression::Auto) return 12;
  return compression == Compression::Fastest ? 10 : 0;  // 0: as the level has it.
}

/// The longest frame that is worth decompressing later. zstd stops as soon as it sees that a frame
/// gets longer.
std::size_t worthwhile_bytes(std::size_t plain) { return plain - (plain + 31) / 32; }

Error corrupt(std::string_view problem) {
  return {ErrorCode::Corrupt, fmt::format("chunk: {}", problem)};
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
  ZstdCompressor context;                         // For plain chunks.
  std::unique_ptr<DeltaEncoder> delta;            // Made when first needed.
  std::unique_ptr<DictionaryEncoder> dictionary;  // Made when first needed.
  Bytes out;
};

ChunkEncoder::ChunkEncoder(Compression compression)
    : state_(std::make_unique<State>(State{compression, nullptr, nullptr, nullptr, {}})) {
  if (compression == Compression::Off) return;
  state_->context = make_zstd_compressor(level_of(compression));
  if (compression != Compression::Fastest) return;
  // Negative levels leave literals uncoded, which costs a third in size and hardly any time.
  ZSTD_CCtx* const context = state_->context.get();
  zstd_must(ZSTD_CCtx_setParameter(context, ZSTD_c_literalCompressionMode, ZSTD_ps_enable));
  zstd_must(ZSTD_CCtx_setParameter(context, ZSTD_c_minMatch, 7));
}

ChunkEncoder::ChunkEncoder(ChunkEncoder&&) noexcept = default;
ChunkEncoder::~ChunkEncoder() = default;

Result<Encoded> ChunkEncoder::encode(ByteView plain) {
  PV_CHECK(!plain.empty() && plain.size() <= kChunkBytesMax);
  const Encoded raw{.encoding = Encoding::Raw, .bytes = plain};
  if (state_->compression == Compression::Off) return raw;
  const std::size_t bytes_max = worthwhile_bytes(plain.size());
  if (bytes_max == 0) return raw;
  Bytes& out = state_->out;
  if (out.size() < bytes_max) out.resize(bytes_max);
  // A hash table that fits the first-level cache beside the chunk.
  const int hash_log =
      plain.size() <= kSmallTableBytesMax ? small_table_log(state_->compression) : 0;
  zstd_must(ZSTD_CCtx_setParameter(state_->context.get(), ZSTD_c_hashLog, hash_log));
  // One call with all input: zstd knows the size and fits its tables to it.
  const std::size_t code =
      ZSTD_compress2(state_->context.get(), out.data(), bytes_max, plain.data(), plain.size());
  if (ZSTD_isError(code) == 0U) return Encoded{Encoding::Zstd, ByteView(out).first(code)};
  if (zstd_did_not_fit(code)) return raw;
  return zstd_error("compress", code);
}

bool ChunkEncoder::uses_dictionaries() const {
  // Off has no frames, and fastest would not be.
  return state_->compression != Compression::Off && state_->compression != Compression::Fastest;
}

Result<Encoded> ChunkEncoder::encode_with(const SourceDictionary::Content& dictionary,
                                          ByteView plain) {
  PV_CHECK(uses_dictionaries() && !plain.empty() && plain.size() <= kChunkBytesMax);
  const Encoded raw{.encoding = Encoding::Raw, .bytes = plain};
  const std::size_t bytes_max = worthwhile_bytes(plain.size());
  if (bytes_max == 0) return raw;
  if (!state_->dictionary) {
    state_->dictionary = std::make_unique<DictionaryEncoder>(level_of(state_->compression));
  }
  Bytes& out = state_->out;
  if (out.size() < bytes_max) out.resize(bytes_max);
  PV_TRY_ASSIGN(const std::size_t length,
                state_->dictionary->encode(dictionary, plain, MutableBytes(out).first(bytes_max)));
  if (length == 0) return raw;
  return Encoded{Encoding::ZstdDictionary, ByteView(out).first(length)};
}

Result<std::optional<Encoded>> ChunkEncoder::encode_delta(ByteView plain, ByteView base,
                                                          std::size_t bytes_max) {
  PV_CHECK(!plain.empty() && plain.size() <= kChunkBytesMax);
  PV_CHECK(!base.empty() && base.size() <= kChunkBytesMax);
  if (!state_->delta) state_->delta = std::make_unique<DeltaEncoder>();
  PV_TRY_ASSIGN(const auto bytes, state_->delta->encode(plain, base, bytes_max));
  if (!bytes) return std::optional<Encoded>();
  return std::optional<Encoded>(Encoded{Encoding::ZstdDelta, *bytes});
}

struct ChunkDecoder::State {
  ZstdDecompressor context;

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
  zstd_must(ZSTD_DCtx_setParameter(context, ZSTD_d_format, ZSTD_f_zstd1_magicless));
  zstd_must(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, kWindowLogMax));
  zstd_must(ZSTD_DCtx_setParameter(context, ZSTD_d_stableOutBuffer, 1));
}

ChunkDecoder::ChunkDecoder(ChunkDecoder&&) noexcept = default;
ChunkDecoder::~ChunkDecoder() = default;

Status ChunkDecoder::decode(Encoding encoding, ByteView encoded, ByteView base,
                            MutableBytes plain) {
  PV_CHECK(has_base(encoding) || base.empty());
  if (encoding == Encoding::Raw) {
    if (encoded.size() != plain.size()) return corrupt("raw length differs");
    copy_bytes(encoded, plain);
    return ok();
  }
  if (has_base(encoding) && base.empty()) return corrupt("base is empty");
  zstd_must(ZSTD_DCtx_reset(state_->context.get(), ZSTD_reset_session_only));
  PV_TRY(state_->set_base(encoding, base));
  return state_->decode_frame(encoded, plain);
}

}  // namespace pagevault::repo
