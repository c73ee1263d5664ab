// Packs and the chunk codec: MB/s of plain bytes in chunks of 64 KiB. Packs lie in the simulator's
// memory, so that sealing, hashing and checking are measured and no disk.

#include <benchmark/benchmark.h>

#include <random>

#include "pagevault/base/sim_env.h"
#include "pagevault/repo/chunk_codec.h"
#include "pagevault/repo/directory_store.h"
#include "pagevault/repo/pack_reader.h"
#include "pagevault/repo/pack_writer.h"

namespace pagevault::repo {
namespace {

constexpr std::size_t kChunkBytes = 64 * kKiB;
constexpr std::size_t kPackChunks = 512;  // 32 MiB.
const RepositoryId kRepository{};

const KeySet& keys() {
  static const KeySet set = KeySet::derive(MasterSecret());
  return set;
}

Bytes rows() {
  std::mt19937 random(1);
  std::string text;
  while (text.size() < kChunkBytes) {
    text += "customer " + std::to_string(random() % 100'000) + " ordered item " +
            std::to_string(random() % 500) + "\n";
  }
  return to_bytes(as_bytes(std::string_view(text).substr(0, kChunkBytes)));
}

PackDirectory write_pack(SimEnv& env, Store& store, ByteView chunk) {
  auto writer =
      PackWriter::create(env, store, keys(), {PackContent::Data, preferred_cipher(), kRepository})
          .value();
  BlobEntry entry;
  entry.plain_bytes = static_cast<std::uint32_t>(chunk.size());
  for (std::size_t i = 0; i < kPackChunks; ++i) PV_CHECK(writer->add(entry, chunk).has_value());
  return writer->finish().value();
}

void count_bytes(benchmark::State& state, std::size_t chunks) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                          static_cast<std::int64_t>(chunks * kChunkBytes));
}

void PackWrite(benchmark::State& state) {
  SimEnv env;
  const auto store = create_directory_store(env, "/repo").value();
  const Bytes chunk = rows();
  for (auto _ : state) {
    const PackDirectory pack = write_pack(env, *store, chunk);
    PV_CHECK(store->remove({ObjectType::Pack, pack.info.id.hex()}).has_value());
  }
  count_bytes(state, kPackChunks);
}
BENCHMARK(PackWrite)->Unit(benchmark::kMillisecond);

void PackParseAndUnseal(benchmark::State& state) {
  SimEnv env;
  const auto store = create_directory_store(env, "/repo").value();
  const PackDirectory pack = write_pack(env, *store, rows());
  const Bytes file = store->read_all({ObjectType::Pack, pack.info.id.hex()}, kPackBytesMax).value();
  Bytes plain(kChunkBytes);
  for (auto _ : state) {
    const PackDirectory parsed = parse_pack(keys(), kRepository, pack.info.id, file).value();
    PackInfo info;
    const Aead aead =
        open_pack_header(keys(), pack.info.id, ByteView(file).first(kPackHeaderBytes), info)
            .value();
    for_each_blob(parsed, [&](const BlobLocation& where) {
      const ByteView sealed = ByteView(file).subspan(where.offset, where.entry.stored_bytes);
      PV_CHECK(unseal_blob(aead, kRepository, where, sealed, plain).has_value());
    });
  }
  count_bytes(state, kPackChunks);
}
BENCHMARK(PackParseAndUnseal)->Unit(benchmark::kMillisecond);

void ChunkEncode(benchmark::State& state) {
  ChunkEncoder encoder(static_cast<Compression>(state.range(0)));
  const Bytes chunk = rows();
  for (auto _ : state) benchmark::DoNotOptimize(encoder.encode(chunk));
  count_bytes(state, 1);
}
BENCHMARK(ChunkEncode)->DenseRange(1, 3);  // Fastest, auto, better.

void ChunkDecode(benchmark::State& state) {
  ChunkEncoder encoder(Compression::Auto);
  ChunkDecoder decoder;
  const Bytes chunk = rows();
  const Encoded encoded = encoder.encode(chunk).value();
  Bytes plain(kChunkBytes);
  for (auto _ : state) {
    PV_CHECK(decoder.decode(encoded.encoding, encoded.bytes, {}, plain).has_value());
  }
  count_bytes(state, 1);
}
BENCHMARK(ChunkDecode);

}  // namespace
}  // namespace pagevault::repo
