#include "zstd_contexts.h"

#include <fmt/format.h>
#include <zstd_errors.h>

namespace pagevault::repo {

ZstdCompressor make_zstd_compressor(int level) {
  ZstdCompressor context(ZSTD_createCCtx());
  PV_CHECK(context != nullptr);
  zstd_must(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level));
  zstd_must(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_format, ZSTD_f_zstd1_magicless));
  zstd_must(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_contentSizeFlag, 0));
  zstd_must(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 0));
  zstd_must(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_dictIDFlag, 0));
  return context;
}

Error zstd_error(std::string_view what, std::size_t code) {
  const bool memory = ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation;
  return {memory ? ErrorCode::NoSpace : ErrorCode::Corrupt,
          fmt::format("chunk: {}: {}", what, ZSTD_getErrorName(code))};
}

bool zstd_did_not_fit(std::size_t code) {
  return ZSTD_isError(code) != 0U && ZSTD_getErrorCode(code) == ZSTD_error_dstSize_tooSmall;
}

}  // namespace pagevault::repo
