// Owners of zstd's contexts, and what all frames of the format have in common.

#pragma once

#define ZSTD_STATIC_LINKING_ONLY  // Magicless frames, prefixes and dictionaries by reference.
#include <zstd.h>

#include <memory>
#include <string_view>

#include "pagevault/base/result.h"

namespace pagevault::repo {

struct FreeZstd {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  void operator()(ZSTD_CDict* dictionary) const { ZSTD_freeCDict(dictionary); }
};
using ZstdCompressor = std::unique_ptr<ZSTD_CCtx, FreeZstd>;
using ZstdDecompressor = std::unique_ptr<ZSTD_DCtx, FreeZstd>;
using ZstdDictionary = std::unique_ptr<ZSTD_CDict, FreeZstd>;

/// For calls that fail only when we pass nonsense.
inline void zstd_must(std::size_t code) { PV_CHECK(ZSTD_isError(code) == 0U); }

/// Writes frames of the format: docs/format.md, 4.
ZstdCompressor make_zstd_compressor(int level);

/// NoSpace when memory ran out, else Corrupt.
Error zstd_error(std::string_view what, std::size_t code);
/// True when the output was too small: the frame is not worth having.
bool zstd_did_not_fit(std::size_t code);

}  // namespace pagevault::repo
