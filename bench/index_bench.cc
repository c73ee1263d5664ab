// Look-ups in the index cache, at the size of a large repository.
//
//   index_bench --entries 20000000 [--folder DIR] [--memory MIB]   builds, measures, prints a table
//   index_bench --benchmark_filter=.                               Google Benchmark, 1 M entries
//
// Entries are generated: chunk i has the i-th id of a fixed random sequence, packs hold 1,024
// chunks, index objects 65,536.

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pagevault/repo/chunk_index.h"

namespace pagevault::repo {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kBlobsPerPack = 1'024;
constexpr std::uint64_t kPacksPerObject = 64;

// SplitMix64: any element of the sequence without the ones before.
std::uint64_t mixed(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EB;
  return x ^ (x >> 31U);
}

template <class Id>
Id generated_id(std::uint64_t kind, std::uint64_t number) {
  Id id;
  for (std::size_t i = 0; i < 4; ++i) {
    const std::uint64_t word = mixed(kind * 0x1000000000000 + number * 4 + i);
    std::memcpy(id.bytes.data() + 8 * i, &word, sizeof word);
  }
  return id;
}

ChunkId present(std::uint64_t i) { return generated_id<ChunkId>(1, i); }
ChunkId absent(std::uint64_t i) { return generated_id<ChunkId>(2, i); }

PackDirectory generated_pack(std::uint64_t number, std::uint64_t blobs) {
  PackDirectory pack;
  pack.info.id = generated_id<PackId>(3, number);
  pack.info.file_bytes = 32 * kMiB;
  for (std::uint64_t i = 0; i < blobs; ++i) {
    BlobEntry blob;
    blob.id = present(number * kBlobsPerPack + i);
    blob.encoding = Encoding::Zstd;
    blob.stored_bytes = static_cast<std::uint32_t>(20'000 + mixed(blob.stored_bytes + i) % 20'000);
    blob.plain_bytes = 64 * kKiB;
    pack.blobs.push_back(blob);
  }
  return pack;
}

// The index object that begins with chunk `first` of `entries`.
IndexObject generated_object(std::uint64_t first, std::uint64_t entries) {
  IndexObject object;
  for (std::uint64_t i = 0; i < kPacksPerObject; ++i) {
    const std::uint64_t at = first + i * kBlobsPerPack;
    if (at >= entries) break;
    object.packs.push_back(
        generated_pack(at / kBlobsPerPack, std::min(kBlobsPerPack, entries - at)));
  }
  return object;
}

// Ends the program with a message: a benchmark has nobody to report to.
void require(const Status& status) {
  if (status) return;
  fmt::print(stderr, "index_bench: {}\n", status.error().message());
  std::exit(1);
}
template <class T>
T require(Result<T> result) {
  if (!result) require(Status(result.error()));
  return std::move(*result);
}

void fill(ChunkIndex& index, std::uint64_t entries) {
  constexpr std::uint64_t kPerObject = kBlobsPerPack * kPacksPerObject;
  for (std::uint64_t first = 0; first < entries; first += kPerObject) {
    require(index.apply(generated_id<IndexId>(4, first), generated_object(first, entries)));
  }
  require(index.flush());
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

double thread_cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Latency {
  double mean_us = 0;
  double p50_us = 0;
  double p99_us = 0;
  double cpu_us = 0;  // Mean of this thread: what the mean is on an idle machine with a warm cache.
};

// `look(i)` for random i below `entries`.
template <class Look>
Latency latency_of(std::uint64_t entries, std::uint64_t lookups, const Look& look) {
  std::vector<double> each;
  each.reserve(lookups);
  double sum = 0;
  const double cpu_start = thread_cpu_seconds();
  for (std::uint64_t n = 0; n < lookups; ++n) {
    const auto start = Clock::now();
    look(mixed(n) % entries);
    each.push_back(seconds_since(start) * 1e6);
    sum += each.back();
  }
  const double cpu_us = (thread_cpu_seconds() - cpu_start) * 1e6;
  std::sort(each.begin(), each.end());
  const auto count = static_cast<double>(lookups);
  return {sum / count, each[lookups / 2], each[lookups * 99 / 100], cpu_us / count};
}

void print_latency(std::string_view what, const Latency& latency) {
  fmt::print("{:<34}{:8.2f} us mean {:8.2f} us median {:8.2f} us p99 {:8.2f} us CPU\n", what,
             latency.mean_us, latency.p50_us, latency.p99_us, latency.cpu_us);
}

void measure_lookups(ChunkIndex& index, std::uint64_t entries) {
  constexpr std::uint64_t kLookups = 500'000;
  const auto find = [&index](std::uint64_t i) {
    PV_CHECK(require(index.find(present(i))).size() == 1);
  };
  const auto miss = [&index](std::uint64_t i) { PV_CHECK(!require(index.contains(absent(i)))); };
  print_latency("first 1,000 hits (cold)", latency_of(entries, 1'000, find));
  print_latency("hit", latency_of(entries, kLookups, find));
  print_latency("miss", latency_of(entries, kLookups, miss));
}

// What a program pays that looks once: open, one hit, one miss, close.
double open_look_close_ms(const RocksIndexOptions& options) {
  constexpr int kRounds = 20;
  const auto start = Clock::now();
  for (std::uint64_t i = 0; i < kRounds; ++i) {
    const auto index = require(open_rocks_index(options));
    PV_CHECK(require(index->find(present(i))).size() == 1);
    PV_CHECK(!require(index->contains(absent(i))));
  }
  return seconds_since(start) * 1e3 / kRounds;
}

// What a small backup adds at its end.
double small_session_ms(const RocksIndexOptions& options, std::uint64_t entries) {
  constexpr std::uint64_t kRounds = 20;
  const auto start = Clock::now();
  for (std::uint64_t i = 0; i < kRounds; ++i) {
    const auto index = require(open_rocks_index(options));
    IndexObject object;
    object.packs.push_back(generated_pack(entries / kBlobsPerPack + 2 + i, 500));
    require(index->apply(generated_id<IndexId>(5, i), object));
    require(index->flush());
  }
  return seconds_since(start) * 1e3 / static_cast<double>(kRounds);
}

double folder_mib(const std::string& folder) {
  std::uint64_t bytes = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder)) {
    if (file.is_regular_file()) bytes += file.file_size();
  }
  return static_cast<double>(bytes) / static_cast<double>(kMiB);
}

void run_large(const RocksIndexOptions& options, std::uint64_t entries) {
  std::filesystem::remove_all(options.folder);
  fmt::print("{} entries, memory limit {} MiB\n", entries, options.memory_max / kMiB);
  {
    const auto index = require(open_rocks_index(options));
    const auto start = Clock::now();
    fill(*index, entries);
    fmt::print("{:<34}{:8.1f} s, {:.0f} MiB on disk\n", "build", seconds_since(start),
               folder_mib(options.folder));
    fmt::print("{:<34}{:8.0f} MiB\n", "peak resident after build", peak_mib());
  }
  fmt::print("{:<34}{:8.2f} ms\n", "open, look twice, close", open_look_close_ms(options));
  measure_lookups(*require(open_rocks_index(options)), entries);
  fmt::print("{:<34}{:8.2f} ms\n", "open, add 500 chunks, flush, close",
             small_session_ms(options, entries));
  fmt::print("{:<34}{:8.2f} ms\n", "open, look twice, close (after)", open_look_close_ms(options));
  fmt::print("{:<34}{:8.0f} MiB\n", "peak resident", peak_mib());
  std::filesystem::remove_all(options.folder);
}

// --- Google Benchmark, 1 M entries ---------------------------------------------------------------

constexpr std::uint64_t kSmall = 1'000'000;

std::unique_ptr<ChunkIndex> small_index(bool rocks) {
  const std::string folder = std::filesystem::temp_directory_path() / "pagevault-index-bench-small";
  std::filesystem::remove_all(folder);
  auto index =
      rocks ? require(open_rocks_index({.folder = folder, .label = "bench"})) : make_memory_index();
  fill(*index, kSmall);
  return index;
}

void run_hits(benchmark::State& state, bool rocks) {
  const auto index = small_index(rocks);
  std::uint64_t n = 0;
  for (auto _ : state) benchmark::DoNotOptimize(index->find(present(mixed(n++) % kSmall)));
}

void run_misses(benchmark::State& state, bool rocks) {
  const auto index = small_index(rocks);
  std::uint64_t n = 0;
  for (auto _ : state) benchmark::DoNotOptimize(index->contains(absent(n++)));
}

BENCHMARK_CAPTURE(run_hits, memory, false);
BENCHMARK_CAPTURE(run_hits, rocks, true);
BENCHMARK_CAPTURE(run_misses, memory, false);
BENCHMARK_CAPTURE(run_misses, rocks, true);

}  // namespace
}  // namespace pagevault::repo

int main(int argc, char** argv) {
  std::map<std::string, std::string> values = {{"--folder", "/tmp/pagevault-index-bench"},
                                               {"--memory", "160"}};
  for (int i = 1; i + 1 < argc; ++i) values[argv[i]] = argv[i + 1];
  if (values.contains("--entries")) {
    pagevault::repo::run_large({.folder = values["--folder"],
                                .label = "bench",
                                .memory_max = std::stoull(values["--memory"]) * pagevault::kMiB},
                               std::stoull(values["--entries"]));
    return 0;
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
