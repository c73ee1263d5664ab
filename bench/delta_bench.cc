// Encoding of deltas, one core: as backups make them, beside zstd's own search at level 3. The
// counter is bytes of a frame. Real data: dictionary_sizes delta OLD NEW level=3 encoder=1.

#define ZSTD_STATIC_LINKING_ONLY  // Prefixes by reference.
#include <benchmark/benchmark.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "pagevault/base/bytes.h"
#include "pagevault/repo/chunk_codec.h"

namespace pagevault::repo {
namespace {

constexpr std::size_t kChunk = 64 * kKiB;

Bytes noise(std::size_t size, std::uint64_t state) {
  Bytes out(size);
  for (std::byte& byte : out) {
    state = state * 6364136223846793005 + 1442695040888963407;
    byte = static_cast<std::byte>(state >> 56);
  }
  return out;
}

void overwrite(Bytes& bytes, std::size_t at, std::size_t count, std::uint64_t seed) {
  std::ranges::copy(noise(count, seed), bytes.begin() + static_cast<std::ptrdiff_t>(at));
}

struct Pair {
  Bytes base;
  Bytes plain;
};

/// Values of `count` bytes, one every `distance`.
Pair values(std::size_t count, std::size_t distance) {
  Pair pair{noise(kChunk, 1), noise(kChunk, 1)};
  for (std::size_t at = 100; at + count < kChunk; at += distance) {
    overwrite(pair.plain, at, count, at);
  }
  return pair;
}

/// A page whose rows have moved up by `count` bytes to make room.
Pair grown_row(std::size_t count) {
  Pair pair{noise(kChunk, 1), noise(kChunk, 1)};
  const auto page = pair.plain.begin() + 32'768;
  std::copy(page + 1000 + static_cast<std::ptrdiff_t>(count), page + 3000, page + 1000);
  overwrite(pair.plain, 32'768 + 3000 - count, count, 2);
  return pair;
}

Pair insertion(std::size_t count) {
  Pair pair{noise(kChunk, 1), noise(kChunk, 1)};
  const Bytes fresh = noise(count, 2);
  pair.plain.insert(pair.plain.begin() + 20'000, fresh.begin(), fresh.end());
  return pair;
}

void count_frames(benchmark::State& state, const Pair& pair, std::size_t frame_bytes) {
  state.counters["frame"] = static_cast<double>(frame_bytes);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(pair.plain.size()));
}

void BM_Delta(benchmark::State& state, const Pair& pair) {
  ChunkEncoder encoder(Compression::Auto);
  std::size_t bytes = 0;
  for (auto _ : state) {
    bytes = (*encoder.encode_delta(pair.plain, pair.base, 2 * kChunk))->bytes.size();
  }
  count_frames(state, pair, bytes);
}

struct FreeCctx {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

void BM_DeltaLevel3(benchmark::State& state, const Pair& pair) {
  const std::unique_ptr<ZSTD_CCtx, FreeCctx> context(ZSTD_createCCtx());
  Bytes out(ZSTD_compressBound(2 * kChunk));
  std::size_t bytes = 0;
  for (auto _ : state) {
    ZSTD_CCtx_refPrefix(context.get(), pair.base.data(), pair.base.size());
    bytes =
        ZSTD_compress2(context.get(), out.data(), out.size(), pair.plain.data(), pair.plain.size());
  }
  count_frames(state, pair, bytes);
}

#define PV_DELTA_BENCH(name, pair)         \
  BENCHMARK_CAPTURE(BM_Delta, name, pair); \
  BENCHMARK_CAPTURE(BM_DeltaLevel3, name, pair)

PV_DELTA_BENCH(equal, values(0, kChunk));
PV_DELTA_BENCH(one_value, values(8, kChunk));
PV_DELTA_BENCH(values_in_each_page, values(8, 4096));
PV_DELTA_BENCH(grown_row, grown_row(40));
PV_DELTA_BENCH(insertion, insertion(3000));
// docs/format.md, 5 "Span node": records of 57 bytes, 52 of them ids and checksums.
PV_DELTA_BENCH(map_node_with_half_changed, values(52, 114));

}  // namespace
}  // namespace pagevault::repo
