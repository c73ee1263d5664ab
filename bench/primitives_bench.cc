// The per-byte work of a backup, one core each: cuts, gate, ids, checksums, compression.

#include <benchmark/benchmark.h>
#include <zstd.h>

#include <memory>
#include <vector>

#include "pagevault/base/bytes.h"
#include "pagevault/base/crc32c.h"
#include "pagevault/chunker/chunk_id.h"
#include "pagevault/chunker/gate.h"
#include "pagevault/chunker/page_chunker.h"
#include "pagevault/chunker/stream_chunker.h"

namespace pagevault {
namespace {

// More than the second-level cache, less than the third: what a pipeline's buffers look like.
constexpr std::size_t kInput = 8 * kMiB;

Bytes random_input(std::size_t size) {
  Bytes out(size);
  std::uint64_t state = 1;
  for (std::byte& byte : out) {
    state = state * 6364136223846793005 + 1442695040888963407;
    byte = static_cast<std::byte>(state >> 56);
  }
  return out;
}

// Rows of words and numbers: compresses about as database pages do.
Bytes row_input(std::size_t size) {
  constexpr std::string_view kWords[] = {"paid ",   "shipped ", "Berlin ", "Lagos ",
                                         "anchor ", "velvet ",  "north ",  "rabbit "};
  Bytes out;
  std::uint64_t state = 1;
  while (out.size() < size) {
    state = state * 6364136223846793005 + 1442695040888963407;
    append(out, as_bytes(kWords[state >> 61]));
    append(out, as_bytes(std::to_string(state >> 44)));
  }
  out.resize(size);
  return out;
}

template <class Key>
Key some_key() {
  Key key;
  for (std::byte& byte : key.expose_mutable()) byte = std::byte{0x5a};
  return key;
}

void count_bytes(benchmark::State& state, std::size_t per_round) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(per_round));
}

template <class Chunker>
void cut_all(benchmark::State& state, const Chunker& chunker) {
  const Bytes input = random_input(kInput);
  for (auto _ : state) {
    for (ByteView rest = input; !rest.empty();) rest = rest.subspan(chunker.cut(rest));
  }
  count_bytes(state, input.size());
}

void BM_StreamChunker(benchmark::State& state) {
  cut_all(state, chunker::StreamChunker::create(some_key<chunker::CutKey>(), {}).value());
}
BENCHMARK(BM_StreamChunker);

void BM_PageChunker(benchmark::State& state) {
  const auto page_size = static_cast<std::uint32_t>(state.range(0));
  cut_all(state, chunker::PageChunker::create(some_key<chunker::CutKey>(), chunker::kPageChunkSizes,
                                              page_size)
                     .value());
}
BENCHMARK(BM_PageChunker)->Arg(4096)->Arg(8192);

// Calls `work` on consecutive blocks of range(0) bytes.
template <class Work>
void over_blocks(benchmark::State& state, Work work) {
  const Bytes input = random_input(kInput);
  const auto block = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    for (std::size_t at = 0; at + block <= input.size(); at += block) {
      benchmark::DoNotOptimize(work(ByteView(input).subspan(at, block)));
    }
  }
  count_bytes(state, input.size());
}

void BM_Gate(benchmark::State& state) {
  const chunker::GateKey key{SecretBytes(chunker::GateKey::kBytes)};
  over_blocks(state, [&](ByteView block) { return chunker::gate_of(key, block); });
}
BENCHMARK(BM_Gate)->RangeMultiplier(2)->Range(4096, 131'072);

void BM_ChunkId(benchmark::State& state) {
  const auto key = some_key<chunker::DataIdKey>();
  over_blocks(state, [&](ByteView block) { return chunker::chunk_id(key, block); });
}
BENCHMARK(BM_ChunkId)->Arg(65'536);

void BM_Crc32c(benchmark::State& state) {
  over_blocks(state, [](ByteView block) { return crc32c(block); });
}
BENCHMARK(BM_Crc32c)->Arg(4096)->Arg(65'536);

struct FreeCctx {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

void BM_Zstd64K(benchmark::State& state) {
  constexpr std::size_t kFrame = 64 * kKiB;
  const Bytes input = row_input(kInput);
  Bytes out(ZSTD_compressBound(kFrame));
  const std::unique_ptr<ZSTD_CCtx, FreeCctx> context(ZSTD_createCCtx());
  std::size_t stored = 0;
  for (auto _ : state) {
    stored = 0;
    for (std::size_t at = 0; at < input.size(); at += kFrame) {
      stored += ZSTD_compressCCtx(context.get(), out.data(), out.size(), input.data() + at, kFrame,
                                  static_cast<int>(state.range(0)));
    }
  }
  count_bytes(state, input.size());
  state.counters["ratio"] = static_cast<double>(input.size()) / static_cast<double>(stored);
}
BENCHMARK(BM_Zstd64K)->Arg(1)->Arg(2)->Arg(3);

}  // namespace
}  // namespace pagevault
