// How large should chunks be? Cuts, deduplicates and compresses real files at several sizes and
// prints the tables of docs/adr/0003-chunk-and-frame-sizes.md.
//
//   frame_sizes page   BASE TOUCHED UPDATED AGED      database files (bench/frame_data.sh makes
//   them) frame_sizes stream BASE TOUCHED UPDATED AGED      any files, with the stream chunker
//
// Each is a file, or a PostgreSQL data directory, of which the relation files are taken. Everything
// is held in memory. Times are CPU seconds of one thread, so that a busy machine distorts little.

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "pagevault/chunker/chunk_id.h"
#include "pagevault/chunker/page_chunker.h"
#include "pagevault/chunker/sticky_cuts.h"
#include "pagevault/chunker/stream_chunker.h"
#include "pagevault/pgsupport/relation_files.h"
#include "pagevault/sqlitesupport/page_size.h"

namespace pagevault {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSpanBytes = 64 * kMiB;
// What a chunk costs beside its bytes: tag, directory entry, index entry, extent (docs/format.md).
constexpr std::size_t kOverheadPerChunk = 16 + 40 + 40 + 58;

struct SourceFile {
  std::string name;  // Relative to the data directory; empty for a single file.
  Bytes content;
  std::uint32_t page_size = 4096;
};
using Source = std::vector<SourceFile>;

Bytes read_whole(const fs::path& path) {
  Bytes content(fs::file_size(path));
  std::ifstream in(path, std::ios::binary);
  for (std::size_t at = 0; at < content.size();) {
    char piece[65536];
    in.read(piece, sizeof piece);
    const auto got = static_cast<std::size_t>(in.gcount());
    if (got == 0) break;
    std::copy_n(as_bytes({piece, got}).begin(), std::min(got, content.size() - at),
                content.begin() + static_cast<std::ptrdiff_t>(at));
    at += got;
  }
  return content;
}

Source load(const fs::path& path) {
  if (!fs::is_directory(path)) {
    SourceFile file{.name = "", .content = read_whole(path)};
    file.page_size = sqlitesupport::sqlite_page_size(file.content).value_or(4096);
    return {std::move(file)};
  }
  const auto block = pgsupport::block_size_from_control(read_whole(path / pgsupport::kControlFile));
  Source source;
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    const std::string name = fs::relative(entry.path(), path);
    if (!entry.is_regular_file() || !pgsupport::is_relation_file(name)) continue;
    source.push_back({name, read_whole(entry.path()), block.value()});
  }
  return source;
}

std::size_t total_bytes(const Source& source) {
  std::size_t total = 0;
  for (const SourceFile& file : source) total += file.content.size();
  return total;
}

// First chunk of `input`, for a file of pages of the given size.
using CutFunction = std::function<std::size_t(ByteView input)>;
// Makes one for a file's page size.
using Chunking = std::function<CutFunction(std::uint32_t page_size)>;

chunker::CutKey cut_key() { return {}; }

Chunking page_chunking(chunker::ChunkSizes sizes) {
  return [=](std::uint32_t page_size) -> CutFunction {
    const auto chunker = std::make_shared<chunker::PageChunker>(
        chunker::PageChunker::create(cut_key(), sizes, page_size).value());
    return [=](ByteView input) { return chunker->cut(input); };
  };
}

Chunking stream_chunking(chunker::ChunkSizes sizes) {
  return [=](std::uint32_t) -> CutFunction {
    const auto chunker = std::make_shared<chunker::StreamChunker>(
        chunker::StreamChunker::create(cut_key(), sizes).value());
    return [=](ByteView input) { return chunker->cut(input); };
  };
}

using Ends = std::vector<std::uint64_t>;
// Ends of chunks per span of each file, by name.
using Layout = std::map<std::string, std::vector<Ends>>;

Ends cut_span(const CutFunction& cut, ByteView span, const Ends& parent, std::uint32_t chunk_max) {
  const chunker::StickyCuts sticky(parent, span.size(), chunk_max);
  Ends ends;
  for (std::uint64_t start = 0; start < span.size(); start = ends.back()) {
    const auto next = sticky.next(start);
    const ByteView window = span.subspan(start, next.limit - start);
    ends.push_back(next.exact ? next.limit : start + cut(window));
  }
  return ends;
}

// `parent` is null when content alone decides.
Layout cut_source(const Source& source, const Chunking& chunking, const Layout* parent,
                  std::uint32_t chunk_max) {
  Layout layout;
  for (const SourceFile& file : source) {
    const CutFunction cut = chunking(file.page_size);
    std::vector<Ends>& spans = layout[file.name];
    for (std::size_t at = 0; at < file.content.size(); at += kSpanBytes) {
      const ByteView span =
          ByteView(file.content).subspan(at, std::min(kSpanBytes, file.content.size() - at));
      Ends parent_ends;
      if (parent != nullptr && parent->contains(file.name)) {
        const auto& of_file = parent->at(file.name);
        if (spans.size() < of_file.size()) parent_ends = of_file[spans.size()];
      }
      spans.push_back(cut_span(cut, span, parent_ends, chunk_max));
    }
  }
  return layout;
}

// Distinct chunks that are not all zero, by id; views into the source.
using ChunkSet = std::unordered_map<ChunkId, ByteView>;

ChunkSet chunks_of(const Source& source, const Layout& layout) {
  const chunker::DataIdKey key;
  ChunkSet chunks;
  for (const SourceFile& file : source) {
    std::size_t span_start = 0;
    for (const Ends& ends : layout.at(file.name)) {
      std::size_t start = 0;
      for (const std::uint64_t end : ends) {
        const ByteView chunk = ByteView(file.content).subspan(span_start + start, end - start);
        if (!is_all_zero(chunk)) chunks.emplace(chunker::chunk_id(key, chunk), chunk);
        start = end;
      }
      span_start += kSpanBytes;
    }
  }
  return chunks;
}

ChunkSet without(ChunkSet chunks, const ChunkSet& known) {
  std::erase_if(chunks, [&](const auto& entry) { return known.contains(entry.first); });
  return chunks;
}

std::size_t plain_bytes(const ChunkSet& chunks) {
  std::size_t total = 0;
  for (const auto& [id, bytes] : chunks) total += bytes.size();
  return total;
}

struct Stored {
  std::size_t bytes = 0;  // With the overhead.
  double cpu_seconds = 0;
};

double cpu_now() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

Stored compress(const ChunkSet& chunks, int level) {
  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  const std::unique_ptr<ZSTD_CCtx, Free> context(ZSTD_createCCtx());
  Bytes out(ZSTD_compressBound(chunker::kChunkBytesMax));
  Stored stored;
  const double start = cpu_now();
  for (const auto& [id, bytes] : chunks) {
    const std::size_t size =
        ZSTD_compressCCtx(context.get(), out.data(), out.size(), bytes.data(), bytes.size(), level);
    stored.bytes += std::min(size, bytes.size()) + kOverheadPerChunk;
  }
  stored.cpu_seconds = cpu_now() - start;
  return stored;
}

struct Sources {
  Source base;
  Source touched;
  Source updated;
  Source aged;
};

double percent(std::size_t part, std::size_t whole) {
  return 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

// What a backup of `next` stores when `base` is there: with the parent's cuts, and without.
std::string measure_step(const ChunkSet& base, const Layout& base_layout, const Source& next,
                         const Chunking& chunking, std::uint32_t chunk_max) {
  const Layout sticky_layout = cut_source(next, chunking, &base_layout, chunk_max);
  const ChunkSet sticky = without(chunks_of(next, sticky_layout), base);
  const Layout content_layout = cut_source(next, chunking, nullptr, chunk_max);
  const ChunkSet content = without(chunks_of(next, content_layout), base);
  const std::size_t total = total_bytes(next);
  return fmt::format(" {:.1f} % ({:.1f} %) | {:.1f} |", percent(plain_bytes(sticky), total),
                     percent(plain_bytes(content), total),
                     static_cast<double>(compress(sticky, 1).bytes) / 1e6);
}

// Share of the pages of `next` that are not the same at the same place in `base`.
double changed_pages_percent(const Source& base, const Source& next) {
  std::map<std::string, ByteView> before;
  for (const SourceFile& file : base) before[file.name] = file.content;
  std::size_t changed = 0;
  for (const SourceFile& file : next) {
    const ByteView now = file.content;
    const ByteView then = before.contains(file.name) ? before[file.name] : ByteView{};
    for (std::size_t at = 0; at < now.size(); at += file.page_size) {
      const ByteView page = now.subspan(at, std::min<std::size_t>(file.page_size, now.size() - at));
      const bool same = at + page.size() <= then.size() &&
                        std::ranges::equal(page, then.subspan(at, page.size()));
      if (!same) changed += page.size();
    }
  }
  return percent(changed, total_bytes(next));
}

// One line of the table.
void measure(const Sources& sources, const Chunking& chunking, chunker::ChunkSizes sizes) {
  const Layout base_layout = cut_source(sources.base, chunking, nullptr, sizes.max);
  const ChunkSet base = chunks_of(sources.base, base_layout);
  std::string line = fmt::format(
      "| {:>4} KiB | {:>5.1f} KiB |", sizes.target / 1024,
      static_cast<double>(plain_bytes(base)) / 1024.0 / static_cast<double>(base.size()));
  for (const int level : {1, 2, 3}) {
    const Stored stored = compress(base, level);
    line += fmt::format(
        " {:.3f} | {:.0f} |",
        static_cast<double>(total_bytes(sources.base)) / static_cast<double>(stored.bytes),
        static_cast<double>(plain_bytes(base)) / stored.cpu_seconds / 1e6);
  }
  for (const Source* next : {&sources.touched, &sources.updated}) {
    line += measure_step(base, base_layout, *next, chunking, sizes.max);
  }
  const Layout aged_layout = cut_source(sources.aged, chunking, nullptr, sizes.max);
  const ChunkSet aged = chunks_of(sources.aged, aged_layout);
  const std::size_t shared = plain_bytes(aged) - plain_bytes(without(aged, base));
  line += fmt::format(" {:.1f} % |", percent(shared, plain_bytes(aged)));
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

void measure_all(const std::string& mode, const Sources& sources) {
  fmt::print("base {} bytes; changed pages: touched {:.2f} %, updated {:.2f} %, aged {:.2f} %\n\n",
             total_bytes(sources.base), changed_pages_percent(sources.base, sources.touched),
             changed_pages_percent(sources.base, sources.updated),
             changed_pages_percent(sources.base, sources.aged));
  fmt::print(
      "| target | mean | ratio L1 | MB/s | ratio L2 | MB/s | ratio L3 | MB/s | touched: re-stored "
      "(without parent) | MB at L1 | updated: re-stored (without parent) | MB at L1 | shared with "
      "aged |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (const std::uint32_t kib : {8U, 16U, 32U, 64U, 128U, 1024U}) {
    const std::uint32_t target = kib * 1024;
    if (mode == "page") {
      const chunker::ChunkSizes sizes{.min = target / 2, .target = target, .max = target * 2};
      measure(sources, page_chunking(sizes), sizes);
    } else {
      const chunker::ChunkSizes sizes{.min = target / 4, .target = target, .max = target * 4};
      measure(sources, stream_chunking(sizes), sizes);
    }
  }
}

}  // namespace
}  // namespace pagevault

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() != 5 || (args[0] != "page" && args[0] != "stream")) {
    fmt::print(stderr, "usage: frame_sizes page|stream BASE TOUCHED UPDATED AGED\n");
    return 2;
  }
  using pagevault::load;
  pagevault::measure_all(args[0], {load(args[1]), load(args[2]), load(args[3]), load(args[4])});
  return 0;
}
