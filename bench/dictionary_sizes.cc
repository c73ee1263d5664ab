// What do dictionaries and deltas gain, and what do they cost? Prints the tables of
// docs/adr/0009-dictionaries.md.
//
//   dictionary_sizes plain MIB FILE SETTING...      chunks by themselves or with a dictionary
//   dictionary_sizes delta OLD NEW SETTING...       changed chunks against their predecessors
//
// FILE is a database file, or anything else with page=0. MIB of it are taken, in regions of 4 MiB
// spread evenly. A setting is a list of key=value, with commas between; one that begins with @
// holds for those after it, and the first other one is their yardstick:
//   level=1 window= hash= chain= search= minmatch= step= strategy=   as zstd's parameters
//   literals=1 (always entropy-coded) 2 (never)      page=4096      frame=KIB (fixed pieces)
//   dict=raw|trained|best  size=KIB  samples=MIB  piece=KIB  k= d= f= accel=  from=FILE
//   attach=0 (zstd decides) 1 (attach) 2 (copy) 3 (load)      aligned=RUN moved=1 (delta without
//   zstd's search) retry=BYTES (a longer one is made again by level 3) behind=1 (the chunk is
//   copied behind the dictionary: one window for zstd) encoder=1 (deltas as backups make them:
//   docs/adr/0010-deltas.md) warm=1 (chunk and base are read just before, as a backup has)
// Times are CPU seconds of one thread: medians of three rounds over all settings.

#define ZSTD_STATIC_LINKING_ONLY
#define ZDICT_STATIC_LINKING_ONLY
#include <fmt/format.h>
#include <zdict.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pagevault/base/bytes.h"
#include "pagevault/base/crc32c.h"
#include "pagevault/base/result.h"
#include "pagevault/chunker/page_chunker.h"
#include "pagevault/chunker/stream_chunker.h"
#include "pagevault/repo/chunk_codec.h"

namespace pagevault {
namespace {

constexpr std::size_t kRegionBytes = 4 * kMiB;
constexpr std::size_t kFrameBytesMax = 8 * kMiB;
// What a chunk costs beside its bytes: tag, directory entry, index entry, extent (docs/format.md).
constexpr std::size_t kOverheadPerChunk = 16 + 40 + 40 + 58;
constexpr int kRounds = 3;

/// One line of the command.
class Setting {
 public:
  Setting(const std::string& shown, const std::string& common) : text_(shown) {
    const std::string text = common + shown;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find(',', at), text.size());
      const std::string pair = text.substr(at, end - at);
      const std::size_t equals = std::min(pair.find('='), pair.size() - 1);
      values_[pair.substr(0, equals)] = pair.substr(equals + 1);
      at = end + 1;
    }
  }
  const std::string& text() const { return text_; }
  std::string word(const std::string& key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? std::string() : found->second;
  }
  int number(const std::string& key, int otherwise) const {
    const std::string value = word(key);
    return value.empty() ? otherwise : std::atoi(value.c_str());
  }
  std::size_t size(const std::string& key, int otherwise) const {
    return static_cast<std::size_t>(number(key, otherwise));
  }

 private:
  std::string text_;
  std::map<std::string, std::string> values_;
};

std::vector<Setting> parse_settings(const std::vector<std::string>& words) {
  std::vector<Setting> settings;
  std::string common;
  for (const std::string& word : words) {
    if (word.starts_with('@')) {
      common = word.substr(1) + ",";
    } else {
      settings.emplace_back(word, common);
    }
  }
  return settings;
}

/// zstd fails here only when the command line is nonsense.
std::size_t must(std::size_t code) {
  if (ZSTD_isError(code) == 0U) return code;
  fmt::print(stderr, "zstd: {}\n", ZSTD_getErrorName(code));
  std::exit(1);
}

struct Free {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  void operator()(ZSTD_CDict* dictionary) const { ZSTD_freeCDict(dictionary); }
  void operator()(ZSTD_DDict* dictionary) const { ZSTD_freeDDict(dictionary); }
};

double cpu_now() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

/// `count` pieces of `bytes` each, spread evenly over the file, one behind the other.
Bytes spread_pieces(const std::string& path, std::size_t bytes, std::size_t count) {
  const std::size_t length = std::filesystem::file_size(path);
  const std::size_t slots = length / bytes;
  count = std::min(count, slots);
  Bytes out(count * bytes);
  std::ifstream in(path, std::ios::binary);
  std::vector<char> piece(bytes);
  for (std::size_t i = 0; i < count; ++i) {
    in.seekg(static_cast<std::streamoff>(i * slots / count * bytes));
    in.read(piece.data(), static_cast<std::streamsize>(bytes));
    std::ranges::copy(as_bytes({piece.data(), bytes}), out.begin() + static_cast<long>(i * bytes));
  }
  return out;
}

std::size_t cut(const Setting& setting, ByteView input) {
  if (const std::size_t frame = setting.size("frame", 0) * kKiB; frame != 0) {
    return std::min(frame, input.size());
  }
  const auto page = static_cast<std::uint32_t>(setting.number("page", 4096));
  const chunker::CutKey key;
  if (page == 0) {
    static const auto kStream = chunker::StreamChunker::create(
        key, {.min = 16 * kKiB, .target = 64 * kKiB, .max = 256 * kKiB});
    return kStream.value().cut(input);
  }
  static const auto kPages = chunker::PageChunker::create(
      key, {.min = 32 * kKiB, .target = 64 * kKiB, .max = 128 * kKiB}, page);
  return kPages.value().cut(input);
}

/// A chunk and, for deltas, what was in its place before.
struct Piece {
  ByteView plain;
  ByteView base;
};

/// Cut as the writer would, region by region; without zero chunks.
std::vector<Piece> cut_regions(const Setting& setting, ByteView data) {
  std::vector<Piece> pieces;
  for (std::size_t start = 0; start < data.size(); start += kRegionBytes) {
    ByteView region = data.subspan(start, std::min(kRegionBytes, data.size() - start));
    while (!region.empty()) {
      const ByteView plain = region.first(cut(setting, region));
      if (!is_all_zero(plain)) pieces.push_back({plain, {}});
      region = region.subspan(plain.size());
    }
  }
  return pieces;
}

/// The chunks of `after` that differ, with the cuts of `before`.
std::vector<Piece> changed_pieces(const Setting& setting, ByteView before, ByteView after) {
  std::vector<Piece> changed;
  for (const Piece& piece : cut_regions(setting, before)) {
    const auto offset = static_cast<std::size_t>(piece.plain.data() - before.data());
    if (offset + piece.plain.size() > after.size()) break;
    const ByteView now = after.subspan(offset, piece.plain.size());
    if (!equal_bytes(now, piece.plain)) changed.push_back({now, piece.plain});
  }
  return changed;
}

Bytes train(const Setting& setting, const Bytes& samples, std::size_t piece) {
  const std::vector<std::size_t> sizes(samples.size() / piece, piece);
  Bytes dictionary(setting.size("size", 112) * kKiB);
  ZDICT_fastCover_params_t params{};
  params.k = static_cast<unsigned>(setting.number("k", 0));
  params.d = static_cast<unsigned>(setting.number("d", 8));
  params.f = static_cast<unsigned>(setting.number("f", 20));
  params.accel = static_cast<unsigned>(setting.number("accel", 1));
  params.zParams.compressionLevel = setting.number("level", 1);
  const auto count = static_cast<unsigned>(sizes.size());
  if (setting.word("dict") == "best") {
    dictionary.resize(must(ZDICT_optimizeTrainFromBuffer_fastCover(
        dictionary.data(), dictionary.size(), samples.data(), sizes.data(), count, &params)));
    fmt::print("best k={} d={}\n", params.k, params.d);
  } else {
    if (params.k == 0) params.k = 1024;
    dictionary.resize(must(ZDICT_trainFromBuffer_fastCover(
        dictionary.data(), dictionary.size(), samples.data(), sizes.data(), count, params)));
  }
  return dictionary;
}

Bytes make_dictionary(const Setting& setting, const std::string& file) {
  const std::string from = setting.word("from").empty() ? file : setting.word("from");
  if (setting.word("dict").empty()) return {};
  const std::size_t piece = setting.size("piece", 4) * kKiB;
  if (setting.word("dict") == "raw") {
    return spread_pieces(from, piece, setting.size("size", 112) * kKiB / piece);
  }
  return train(setting, spread_pieces(from, piece, setting.size("samples", 16) * kMiB / piece),
               piece);
}

/// How many bytes at the start are equal.
std::size_t equal_run(ByteView a, ByteView b) {
  const std::size_t end = std::min(a.size(), b.size());
  std::size_t at = 0;
  std::uint64_t left = 0;
  std::uint64_t right = 0;
  for (; at + sizeof left <= end; at += sizeof left) {
    std::memcpy(&left, &a[at], sizeof left);
    std::memcpy(&right, &b[at], sizeof right);
    if (left != right) {
      const int bits = std::countr_zero(left ^ right);  // Little-endian machines only.
      return at + static_cast<std::size_t>(bits) / 8;
    }
  }
  while (at < end && a[at] == b[at]) ++at;
  return at;
}

/// Finds what a chunk shares with its base: in the same place, else elsewhere in the same page.
class PageMatcher {
 public:
  PageMatcher(std::size_t page, std::size_t run_min, bool moved)
      : page_(page), run_min_(run_min), moved_(moved) {}

  const std::vector<ZSTD_Sequence>& find(const Piece& piece) {
    found_.clear();
    plain_ = piece.plain;
    base_ = piece.base;
    literals_ = 0;
    shift_ = 0;
    for (std::size_t at = 0; at < plain_.size();) at = step(at);
    found_.push_back({0, static_cast<unsigned>(plain_.size() - literals_), 0, 0});
    return found_;
  }

 private:
  static constexpr int kTableLog = 12;
  static constexpr std::size_t kWord = 4;

  // Returns where to go on.
  std::size_t step(std::size_t at) {
    if (const std::size_t run = run_from(at, static_cast<std::ptrdiff_t>(at)); run >= run_min_) {
      return take(at, at, run);
    }
    if (!moved_ || at + kWord > plain_.size()) return at + 1;
    const auto shifted = static_cast<std::ptrdiff_t>(at) + shift_;
    if (const std::size_t run = run_from(at, shifted); run >= run_min_) {
      return take(at, static_cast<std::size_t>(shifted), run);
    }
    index_page(at / page_);
    const std::size_t candidate = table_[slot(plain_, at)];
    const std::size_t from = index_start_ + candidate;
    const std::size_t run = run_from(at, static_cast<std::ptrdiff_t>(from));
    if (run < std::max<std::size_t>(run_min_, 6)) return at + 1;
    shift_ = static_cast<std::ptrdiff_t>(from) - static_cast<std::ptrdiff_t>(at);
    return take(at, from, run);
  }

  std::size_t run_from(std::size_t at, std::ptrdiff_t from) const {
    if (from < 0 || static_cast<std::size_t>(from) >= base_.size()) return 0;
    return equal_run(plain_.subspan(at), base_.subspan(static_cast<std::size_t>(from)));
  }

  std::size_t take(std::size_t at, std::size_t from, std::size_t run) {
    found_.push_back({.offset = static_cast<unsigned>(base_.size() + at - from),
                      .litLength = static_cast<unsigned>(at - literals_),
                      .matchLength = static_cast<unsigned>(run),
                      .rep = 0});
    literals_ = at + run;
    return literals_;
  }

  static std::size_t slot(ByteView bytes, std::size_t at) {
    std::uint32_t word = 0;
    std::memcpy(&word, &bytes[at], kWord);
    return (word * 2654435761U) >> (32 - kTableLog);
  }

  void index_page(std::size_t page) {
    if (index_of_ == page && index_base_ == base_.data()) return;
    index_of_ = page;
    index_base_ = base_.data();
    index_start_ = page * page_;
    const std::size_t end = std::min(index_start_ + page_, base_.size());
    for (std::size_t at = index_start_; at + kWord <= end; ++at) {
      table_[slot(base_, at)] = static_cast<std::uint16_t>(at - index_start_);
    }
  }

  std::size_t page_;
  std::size_t run_min_;
  bool moved_;
  ByteView plain_;
  ByteView base_;
  std::size_t literals_ = 0;  // Where they start.
  std::ptrdiff_t shift_ = 0;  // Of the last match that had moved.
  std::vector<ZSTD_Sequence> found_;
  std::array<std::uint16_t, std::size_t{1} << kTableLog> table_{};
  std::size_t index_of_ = 0;
  const std::byte* index_base_ = nullptr;
  std::size_t index_start_ = 0;
};

struct Figures {
  std::size_t plain = 0;
  std::size_t stored = 0;
  std::vector<double> encode_seconds;
  std::vector<double> decode_seconds;
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// One setting: contexts, dictionary, and what was measured.
class Codec {
 public:
  Codec(const Setting& setting, const std::string& file)
      : setting_(setting),
        encoder_(ZSTD_createCCtx()),
        decoder_(ZSTD_createDCtx()),
        matcher_(std::max<std::size_t>(setting.size("page", 4096), 4096),
                 setting.size("aligned", 0), setting.number("moved", 0) != 0) {
    const double start = cpu_now();
    dictionary_ = make_dictionary(setting, file);
    train_seconds_ = cpu_now() - start;
    set_encoder();
    must(ZSTD_DCtx_setParameter(decoder_.get(), ZSTD_d_format, ZSTD_f_zstd1_magicless));
    if (!dictionary_.empty()) load_dictionary();
  }

  void run(const std::vector<Piece>& pieces) {
    out_.resize(kFrameBytesMax);
    behind_.reserve(dictionary_.size() + 2 * kFrameBytesMax);
    encoded_.clear();
    std::vector<std::size_t> ends;
    figures_.plain = figures_.stored = 0;
    double seconds = 0;
    for (const Piece& piece : pieces) {
      if (setting_.number("warm", 0) != 0) touch(piece);
      const double start = cpu_now();
      const std::size_t size = encode(piece);
      seconds += cpu_now() - start;
      append(encoded_, ByteView(out_).first(size));
      ends.push_back(encoded_.size());
      figures_.plain += piece.plain.size();
      figures_.stored += std::min(size, piece.plain.size()) + kOverheadPerChunk;
    }
    figures_.encode_seconds.push_back(seconds);
    decode_all(pieces, ends);
  }

  const Figures& figures() const { return figures_; }
  const Setting& setting() const { return setting_; }
  std::size_t dictionary_bytes() const { return dictionary_.size(); }
  double train_seconds() const { return train_seconds_; }

 private:
  static void touch(const Piece& piece) {
    static std::atomic<std::uint32_t> sink = 0;
    sink += crc32c(piece.plain) ^ crc32c(piece.base);  // Reads every byte.
  }

  void set_encoder() {
    ZSTD_CCtx* const context = encoder_.get();
    must(ZSTD_CCtx_setParameter(context, ZSTD_c_format, ZSTD_f_zstd1_magicless));
    must(ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0));
    must(ZSTD_CCtx_setParameter(context, ZSTD_c_dictIDFlag, 0));
    must(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, setting_.number("level", 1)));
    const std::array<std::pair<const char*, ZSTD_cParameter>, 9> keys{{
        {"window", ZSTD_c_windowLog},
        {"hash", ZSTD_c_hashLog},
        {"chain", ZSTD_c_chainLog},
        {"search", ZSTD_c_searchLog},
        {"minmatch", ZSTD_c_minMatch},
        {"step", ZSTD_c_targetLength},
        {"strategy", ZSTD_c_strategy},
        {"literals", ZSTD_c_literalCompressionMode},
        {"attach", ZSTD_c_forceAttachDict},
    }};
    for (const auto& [key, parameter] : keys) {
      if (setting_.word(key).empty()) continue;
      must(ZSTD_CCtx_setParameter(context, parameter, setting_.number(key, 0)));
    }
    if (setting_.number("aligned", 0) == 0) return;
    must(ZSTD_CCtx_setParameter(context, ZSTD_c_blockDelimiters, ZSTD_sf_explicitBlockDelimiters));
  }

  void load_dictionary() {
    ZSTD_compressionParameters params =
        ZSTD_getCParams(setting_.number("level", 1), 64 * kKiB, dictionary_.size());
    const auto change = [&](const char* key, unsigned& value) {
      value = static_cast<unsigned>(setting_.number(key, static_cast<int>(value)));
    };
    change("window", params.windowLog);
    change("hash", params.hashLog);
    change("chain", params.chainLog);
    change("search", params.searchLog);
    change("minmatch", params.minMatch);
    change("step", params.targetLength);
    behind_.reserve(dictionary_.size() + 2 * kFrameBytesMax);
    behind_ = dictionary_;
    compress_with_.reset(ZSTD_createCDict_advanced(behind_.data(), behind_.size(), ZSTD_dlm_byRef,
                                                   ZSTD_dct_auto, params, ZSTD_defaultCMem));
    decompress_with_.reset(ZSTD_createDDict_byReference(dictionary_.data(), dictionary_.size()));
    must(ZSTD_CCtx_refCDict(encoder_.get(), compress_with_.get()));
    must(ZSTD_DCtx_refDDict(decoder_.get(), decompress_with_.get()));
  }

  std::size_t encode(const Piece& piece) {
    if (setting_.number("encoder", 0) != 0) {
      const auto delta = delta_encoder_.encode_delta(piece.plain, piece.base, kFrameBytesMax / 2);
      std::ranges::copy((**delta).bytes, out_.begin());
      return (**delta).bytes.size();
    }
    if (setting_.number("aligned", 0) != 0) return encode_aligned(piece);
    ByteView plain = piece.plain;
    if (!piece.base.empty()) {
      must(ZSTD_CCtx_refPrefix(encoder_.get(), piece.base.data(), piece.base.size()));
    } else if (setting_.number("behind", 0) != 0) {
      behind_.resize(dictionary_.size() + plain.size());
      std::ranges::copy(plain, behind_.begin() + static_cast<std::ptrdiff_t>(dictionary_.size()));
      plain = ByteView(behind_).subspan(dictionary_.size());
    }
    return must(
        ZSTD_compress2(encoder_.get(), out_.data(), out_.size(), plain.data(), plain.size()));
  }

  // zstd only writes down the matches found here, and is not told of the prefix: loading it is what
  // a delta with few changes spends its time on. The decoder needs the prefix.
  std::size_t encode_aligned(const Piece& piece) {
    const std::vector<ZSTD_Sequence>& found = matcher_.find(piece);
    const std::size_t size =
        must(ZSTD_compressSequences(encoder_.get(), out_.data(), out_.size(), found.data(),
                                    found.size(), piece.plain.data(), piece.plain.size()));
    if (size <= setting_.size("retry", 1 << 30)) return size;
    must(ZSTD_CCtx_setParameter(searcher_.get(), ZSTD_c_format, ZSTD_f_zstd1_magicless));
    must(ZSTD_CCtx_setParameter(searcher_.get(), ZSTD_c_contentSizeFlag, 0));
    must(ZSTD_CCtx_setParameter(searcher_.get(), ZSTD_c_compressionLevel, 3));
    must(ZSTD_CCtx_refPrefix(searcher_.get(), piece.base.data(), piece.base.size()));
    return must(ZSTD_compress2(searcher_.get(), out_.data(), out_.size(), piece.plain.data(),
                               piece.plain.size()));
  }

  void decode_all(const std::vector<Piece>& pieces, const std::vector<std::size_t>& ends) {
    double seconds = 0;
    std::size_t start = 0;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const double before = cpu_now();
      if (!pieces[i].base.empty()) {
        must(ZSTD_DCtx_refPrefix(decoder_.get(), pieces[i].base.data(), pieces[i].base.size()));
      }
      const std::size_t size = must(ZSTD_decompressDCtx(decoder_.get(), out_.data(), out_.size(),
                                                        &encoded_[start], ends[i] - start));
      seconds += cpu_now() - before;
      if (!equal_bytes(ByteView(out_).first(size), pieces[i].plain)) std::exit(1);
      start = ends[i];
    }
    figures_.decode_seconds.push_back(seconds);
  }

  Setting setting_;
  std::unique_ptr<ZSTD_CCtx, Free> encoder_;
  std::unique_ptr<ZSTD_CCtx, Free> searcher_{ZSTD_createCCtx()};  // For "retry".
  std::unique_ptr<ZSTD_DCtx, Free> decoder_;
  Bytes dictionary_;  // Outlives what refers to it.
  Bytes behind_;      // The base or dictionary again, and the chunk behind it.
  std::unique_ptr<ZSTD_CDict, Free> compress_with_;
  std::unique_ptr<ZSTD_DDict, Free> decompress_with_;
  double train_seconds_ = 0;
  PageMatcher matcher_;
  repo::ChunkEncoder delta_encoder_{repo::Compression::Auto};
  Bytes out_;
  Bytes encoded_;
  Figures figures_;
};

void print_plain(const Codec& codec, const Figures& yardstick) {
  const Figures& figures = codec.figures();
  const auto plain = static_cast<double>(figures.plain);
  const double encode = median(figures.encode_seconds);
  fmt::print("| {} | {:.3f} | {:.3f} | {:.0f} | {:.2f} | {:.0f} | {:.0f} KiB in {:.2f} s |\n",
             codec.setting().text(), plain / static_cast<double>(figures.stored),
             static_cast<double>(figures.stored) / static_cast<double>(yardstick.stored),
             plain / encode / 1e6, median(yardstick.encode_seconds) / encode,
             plain / median(figures.decode_seconds) / 1e6,
             static_cast<double>(codec.dictionary_bytes()) / 1024.0, codec.train_seconds());
}

void print_delta(const Codec& codec, const Figures& yardstick, std::size_t count) {
  const Figures& figures = codec.figures();
  const double encode = median(figures.encode_seconds);
  const double decode = median(figures.decode_seconds);
  const auto blobs = [&](const Figures& of) {
    return static_cast<double>(of.stored - count * kOverheadPerChunk);
  };
  const double per_chunk = 1e6 / static_cast<double>(count);
  fmt::print("| {} | {:.0f} | {:.3f} | {:.1f} | {:.1f} |\n", codec.setting().text(),
             blobs(figures) / static_cast<double>(count), blobs(figures) / blobs(yardstick),
             encode * per_chunk, decode * per_chunk);
}

using Codecs = std::vector<std::unique_ptr<Codec>>;

Codecs measure(const std::vector<Setting>& settings, const std::vector<std::vector<Piece>>& pieces,
               const std::string& file) {
  Codecs codecs;
  for (const Setting& setting : settings) codecs.push_back(std::make_unique<Codec>(setting, file));
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < codecs.size(); ++i) codecs[i]->run(pieces[i]);
  }
  return codecs;
}

void measure_plain(std::size_t mib, const std::string& file, const std::vector<Setting>& settings) {
  const Bytes data = spread_pieces(file, kRegionBytes, mib * kMiB / kRegionBytes);
  std::vector<std::vector<Piece>> pieces;
  for (const Setting& setting : settings) pieces.push_back(cut_regions(setting, data));
  const Codecs codecs = measure(settings, pieces, file);
  fmt::print(
      "{} bytes, {} chunks\n\n| setting | ratio | size | encode MB/s | speed | decode MB/s | "
      "dictionary |\n|---|---|---|---|---|---|---|\n",
      data.size(), pieces[0].size());
  for (const auto& codec : codecs) print_plain(*codec, codecs[0]->figures());
}

void measure_delta(const std::string& old_file, const std::string& new_file,
                   const std::vector<Setting>& settings) {
  const Bytes before = spread_pieces(old_file, std::filesystem::file_size(old_file), 1);
  const Bytes after = spread_pieces(new_file, std::filesystem::file_size(new_file), 1);
  const std::vector<Piece> changed = changed_pieces(settings[0], before, after);
  const Codecs codecs = measure(settings, {settings.size(), changed}, old_file);
  fmt::print(
      "{} changed chunks\n\n| setting | bytes a chunk | size | encode us | decode us |\n"
      "|---|---|---|---|---|\n",
      changed.size());
  for (const auto& codec : codecs) print_delta(*codec, codecs[0]->figures(), changed.size());
}

}  // namespace
}  // namespace pagevault

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() < 4 || (args[0] != "plain" && args[0] != "delta")) {
    fmt::print(stderr,
               "usage: dictionary_sizes plain MIB FILE SETTING...\n"
               "       dictionary_sizes delta OLD NEW SETTING...\n");
    return 2;
  }
  const auto settings = pagevault::parse_settings({args.begin() + 3, args.end()});
  if (args[0] == "plain") {
    pagevault::measure_plain(std::strtoul(args[1].c_str(), nullptr, 10), args[2], settings);
  } else {
    pagevault::measure_delta(args[1], args[2], settings);
  }
  return 0;
}
