#include "dictionary_encoder.h"

#include <algorithm>

#include "pagevault/repo/format.h"
#include "zstd_contexts.h"

namespace pagevault::repo {

namespace {

// zstd's own table for level 1 is too small to hold what a dictionary of half a megabyte knows.
constexpr unsigned kTableLogMin = 15;
// Longer chunks than chunkers make are encoded where they lie.
constexpr std::size_t kRoomBytes = 256 * kKiB;
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
  ZstdDictionary tables;  // Refers to `buffer`.
  ChunkId id;
  std::size_t dictionary_bytes = 0;
  // The dictionary, and room for one chunk right behind it. Written when needed: a short backup
  // touches little of it.
  std::unique_ptr<std::byte[]> buffer;
};

void DictionaryEncoder::State::adopt(const SourceDictionary::Content& content) {
  if (id == content.id && tables) return;
  zstd_must(ZSTD_CCtx_refCDict(context.get(), nullptr));
  tables.reset();
  id = content.id;
  dictionary_bytes = content.bytes.size();
  buffer = std::make_unique_for_overwrite<std::byte[]>(dictionary_bytes + kRoomBytes);
  copy_bytes(content.bytes, {buffer.get(), dictionary_bytes});
  ZSTD_compressionParameters parameters =
      ZSTD_getCParams(level, kUsualChunkBytes, dictionary_bytes);
  parameters.hashLog = std::max(parameters.hashLog, kTableLogMin);
  tables.reset(ZSTD_createCDict_advanced(buffer.get(), dictionary_bytes, ZSTD_dlm_byRef,
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
  if (plain.size() <= kRoomBytes) {
    // Right behind the dictionary, so that zstd sees one window: the same frame, up to 10 % faster.
    const MutableBytes behind(state.buffer.get() + state.dictionary_bytes, plain.size());
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
