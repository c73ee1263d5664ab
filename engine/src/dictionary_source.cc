#include "dictionary_source.h"

#include <algorithm>

namespace pagevault::engine {

namespace {

constexpr std::size_t kSampleBytes = 16 * kKiB;
constexpr std::uint64_t kSamples = 32;
constexpr std::size_t kChunksLookedAt = 32;
// A dictionary that begins like this would not be taken for mere content.
constexpr std::uint32_t kTrainedMagic = 0xEC30A437;

ChunkId dictionary_of_chunk(repo::ChunkIndex& index, const ChunkId& chunk, bool is_base) {
  const auto places = index.find(chunk);
  if (!places || places->empty()) return {};
  const repo::BlobEntry& entry = places->front().entry;
  if (entry.encoding == repo::Encoding::ZstdDictionary) return entry.base;
  if (entry.encoding != repo::Encoding::ZstdDelta || is_base) return {};
  return dictionary_of_chunk(index, entry.base, /*is_base=*/true);
}

}  // namespace

ChunkId dictionary_of(repo::ChunkReader& reader, MapReader& map) {
  if (map.spans() == 0) return {};
  const auto node = map.span(0);
  if (!node) return {};
  const std::size_t step = std::max<std::size_t>(1, node->size() / kChunksLookedAt);
  for (std::size_t i = 0; i < node->size(); i += step) {
    const repo::Extent& extent = (*node)[i];
    if (extent.hole) continue;
    const ChunkId found = dictionary_of_chunk(reader.index(), extent.chunk, /*is_base=*/false);
    if (!found.is_zero()) return found;
  }
  return {};
}

Bytes sample_dictionary(File& file, std::uint64_t size) {
  Bytes out;
  Bytes piece(kSampleBytes);
  if (size < kSamples * kSampleBytes) return out;
  for (std::uint64_t i = 0; i < kSamples; ++i) {
    // Whole blocks, so that rows of a page keep their place.
    const std::uint64_t offset =
        (size - kSampleBytes) / (kSamples - 1) * i / kSampleBytes * kSampleBytes;
    const auto got = file.read_at(offset, piece);
    if (!got || *got < kSampleBytes || is_all_zero(piece)) continue;
    if (out.empty() && load_le32(piece) == kTrainedMagic) continue;
    out.insert(out.end(), piece.begin(), piece.end());
  }
  return out;
}

DictionarySource::DictionarySource(File* file, std::uint64_t size, bool has_earlier,
                                   const ChunkId& earlier)
    : file_(file), size_(size), has_earlier_(has_earlier) {
  if (!earlier.is_zero()) current_ = std::make_shared<repo::SourceDictionary>(earlier);
}

bool DictionarySource::wants_fresh() const {
  if (was_sampled_ || size_ < kFileBytesMin) return false;
  // A step that stores a few chunks is not worth a dictionary of its own.
  return current_ ? !current_->pays() : !has_earlier_ || bytes_without_ >= kFileBytesMin;
}

std::shared_ptr<repo::SourceDictionary> DictionarySource::for_chunk(bool has_predecessor,
                                                                    std::size_t bytes) {
  if (!current_ && !has_predecessor) bytes_without_ += bytes;
  if (wants_fresh()) {
    was_sampled_ = true;
    Bytes fresh = file_ == nullptr ? Bytes() : sample_dictionary(*file_, size_);
    if (!fresh.empty()) current_ = std::make_shared<repo::SourceDictionary>(std::move(fresh));
  }
  return current_;
}

}  // namespace pagevault::engine
