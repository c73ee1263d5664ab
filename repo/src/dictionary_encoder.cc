#include "dictionary_encoder.h"

#include <algorithm>

#include "dictionary_room.h"
#include "pagevault/repo/format.h"
#include "zstd_contexts.h"

namespace pagevault::repo {

namespace {

// zstd's own table for level 1 is too small to hold what a dictionary of half a megabyte knows.
constexpr unsigned kTableLogMin = 15;
// Chunks are fitted to this length, which only sets the size of windows and tables.
constexpr std::uint64_t kUsualChunkBytes = 64 * kKiB;

}  // namespace

struct DictionaryEncoder::State {
  explicit State(int l) : level(l), context(make_zstd_compressor(l)) {
    // Copying its tables is faster than looking at two sets of them.
    zstd_must(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_forceAttachDict, ZSTD_dictForceCopy));
  }

  void adopt(const SourceDictionary::Content& content);

  const int level;
  ZstdCompressor context;
  DictionaryRoom room;
  ZstdDictionary tables;  // Refers to `room`.
};

void DictionaryEncoder::State::adopt(const SourceDictionary::Content& content) {
  if (!room.adopt(content.id, content.bytes)) return;
  zstd_must(ZSTD_CCtx_refCDict(context.get(), nullptr));
  const ByteView dictionary = room.dictionary();
  ZSTD_compressionParameters parameters =
      ZSTD_getCParams(level, kUsualChunkBytes, dictionary.size());
  parameters.hashLog = std::max(parameters.hashLog, kTableLogMin);
  tables.reset(ZSTD_createCDict_advanced(dictionary.data(), dictionary.size(), ZSTD_dlm_byRef,
                                         ZSTD_dct_auto, parameters, ZSTD_defaultCMem));
  PV_CHECK(tables != nullptr);
  zstd_must(ZSTD_CCtx_refCDict(context.get(), tables.get()));
}

DictionaryEncoder::DictionaryEncoder(int level) : state_(std::make_unique<State>(level)) {}
DictionaryEncoder::~DictionaryEncoder() = default;

Result<std::size_t> DictionaryEncoder::encode(const SourceDictionary::Content& dictionary,
                                              ByteView plain, MutableBytes out) {
  State& state = *state_;
  PV_CHECK(!plain.empty() && plain.size() <= kChunkBytesMax);
  state.adopt(dictionary);
  if (plain.size() <= DictionaryRoom::kRoomBytes) {  // The same frame, up to 10 % faster.
    const MutableBytes behind = state.room.behind(plain.size());
    copy_bytes(plain, behind);
    plain = behind;
  }
  const std::size_t code =
      ZSTD_compress2(state.context.get(), out.data(), out.size(), plain.data(), plain.size());
  if (ZSTD_isError(code) == 0U) return code;
  if (zstd_did_not_fit(code)) return std::size_t{0};
  return zstd_error("compress", code);
}

}  // namespace pagevault::repo
