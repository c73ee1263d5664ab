#include "pagevault/engine/tree.h"

namespace pagevault::engine {

struct DirectoryReader::State {
  State(repo::ChunkReader& r, repo::MapRoot m, std::uint64_t l)
      : reader(r), map(std::move(m)), length(l), spans(reader, map, length) {}

  // Feeds the parser one more piece of the stream; false at its end.
  Result<bool> feed();

  repo::ChunkReader& reader;
  const repo::MapRoot map;
  const std::uint64_t length;
  MapReader spans;  // Refers to map.
  repo::DirectoryStreamParser parser;
  repo::SpanNode node;
  std::size_t extent = 0;
  std::uint64_t span = 0;
};

DirectoryReader::DirectoryReader(repo::ChunkReader& reader, repo::MapRoot map, std::uint64_t length)
    : state_(std::make_unique<State>(reader, std::move(map), length)) {}
DirectoryReader::~DirectoryReader() = default;
DirectoryReader::DirectoryReader(DirectoryReader&&) noexcept = default;

Result<bool> DirectoryReader::State::feed() {
  while (extent == node.size()) {
    if (span == spans.spans()) return false;
    PV_TRY_ASSIGN(node, spans.span(span));
    ++span;
    extent = 0;
  }
  const repo::Extent& next = node[extent++];
  // A directory is text: a hole in it, or a part of a chunk, is nothing a writer makes.
  if (next.hole || !next.whole_chunk)
    return Error(ErrorCode::Corrupt, "directory stream has a hole");
  PV_TRY_ASSIGN(const auto bytes, reader.read_metadata(next.chunk));
  if (bytes->size() != next.length) {
    return Error(ErrorCode::Corrupt, "directory stream: chunk and extent differ in length");
  }
  parser.feed(*bytes);
  return true;
}

Result<std::optional<repo::Entry>> DirectoryReader::next() {
  while (true) {
    PV_TRY_ASSIGN(auto entry, state_->parser.next());
    if (entry) return entry;
    PV_TRY_ASSIGN(const bool fed, state_->feed());
    if (fed) continue;
    PV_TRY(state_->parser.finish());
    return std::optional<repo::Entry>();
  }
}

}  // namespace pagevault::engine
