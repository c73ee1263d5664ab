#include "delta_encoder.h"

#include <algorithm>

namespace pagevault::repo {

namespace {

constexpr int kSearchLevel = 3;
/// zstd's search does not find enough more in what became shorter than this to pay for its time:
/// docs/adr/0010-deltas.md.
constexpr std::size_t kGoodBytes = 2048;
/// zstd writes whole words, some of them ahead.
constexpr std::size_t kRoomBytes = 64;

/// A context that only writes: no tables worth mentioning, for clearing them is most of the time.
ZstdCompressor make_writer() {
  ZstdCompressor context = make_zstd_compressor(1);
  const auto set = [&](ZSTD_cParameter parameter, int value) {
    zstd_must(ZSTD_CCtx_setParameter(context.get(), parameter, value));
  };
  set(ZSTD_c_windowLog, 17);  // Not below the chunk: only then may matches reach into the prefix.
  set(ZSTD_c_hashLog, ZSTD_HASHLOG_MIN);
  set(ZSTD_c_chainLog, ZSTD_CHAINLOG_MIN);
  // From this strategy on zstd weighs what its entropy tables would cost.
  set(ZSTD_c_strategy, ZSTD_lazy);
  set(ZSTD_c_useRowMatchFinder, ZSTD_ps_disable);
  set(ZSTD_c_blockDelimiters, ZSTD_sf_explicitBlockDelimiters);
  // Without it, levels below 10 write every offset in full.
  set(ZSTD_c_searchForExternalRepcodes, ZSTD_ps_enable);
  return context;
}

}  // namespace

DeltaEncoder::DeltaEncoder() : writer_(make_writer()) {}

Result<std::optional<ByteView>> DeltaEncoder::encode(ByteView plain, ByteView base,
                                                     std::size_t bytes_max) {
  const std::optional<ByteView> written = encode_matches(plain, base, bytes_max);
  if (written && (written->size() <= kGoodBytes || is_noise(*written))) return written;
  const std::size_t better_max = written ? written->size() - 1 : bytes_max;
  PV_TRY_ASSIGN(const auto searched, encode_searched(plain, base, better_max));
  return searched ? searched : written;
}

/// True when the frame is little more than literals that would not compress: ids, checksums, what
/// is compressed or encrypted already. zstd finds nothing in them, either, and takes long to see
/// that.
bool DeltaEncoder::is_noise(ByteView frame) const {
  return frame.size() >= literal_bytes_ && literal_bytes_ >= frame.size() / 10 * 9;
}

/// Nothing also when zstd declines for whatever reason: the call is young, and there is another
/// way.
std::optional<ByteView> DeltaEncoder::encode_matches(ByteView plain, ByteView base,
                                                     std::size_t bytes_max) {
  if (plain.size() > DeltaMatcher::kPlainBytesMax) return {};
  const std::span<const ZSTD_Sequence> found = matcher_.find(plain, base);
  literal_bytes_ = 0;
  for (const ZSTD_Sequence& sequence : found) literal_bytes_ += sequence.litLength;
  written_.resize(std::max(written_.size(), bytes_max + kRoomBytes));
  zstd_must(ZSTD_CCtx_reset(writer_.get(), ZSTD_reset_session_only));
  const std::size_t code =
      ZSTD_compressSequences(writer_.get(), written_.data(), bytes_max + kRoomBytes, found.data(),
                             found.size(), plain.data(), plain.size());
  if (ZSTD_isError(code) != 0U || code > bytes_max) return {};
  return ByteView(written_).first(code);
}

Result<std::optional<ByteView>> DeltaEncoder::encode_searched(ByteView plain, ByteView base,
                                                              std::size_t bytes_max) {
  if (!searcher_) searcher_ = make_zstd_compressor(kSearchLevel);
  if (searched_.size() < bytes_max) searched_.resize(bytes_max);
  ZSTD_CCtx* const context = searcher_.get();
  // A frame that did not fit has left the context in its middle.
  zstd_must(ZSTD_CCtx_reset(context, ZSTD_reset_session_only));
  zstd_must(ZSTD_CCtx_refPrefix(context, base.data(), base.size()));
  const std::size_t code =
      ZSTD_compress2(context, searched_.data(), bytes_max, plain.data(), plain.size());
  using MaybeBytes = std::optional<ByteView>;
  if (ZSTD_isError(code) == 0U) return MaybeBytes(ByteView(searched_).first(code));
  if (zstd_did_not_fit(code)) return MaybeBytes();
  return zstd_error("compress delta", code);
}

}  // namespace pagevault::repo
