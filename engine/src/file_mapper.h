// Turns the bytes of one file or stream into a map of chunks, taking from the parent's map what
// did not change. Design section 4, in order of cost:
//   1. spans the caller trusts by metadata are taken over unread;
//   2. extents whose gate equals the parent's at the same place are taken over;
//   3. the rest is cut, and workers compute ids, look them up and store what is new, as deltas of
//      what the parent had in that place.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "chunk_batch.h"
#include "dictionary_source.h"
#include "pagevault/chunker/page_chunker.h"
#include "pagevault/chunker/stream_chunker.h"
#include "pagevault/engine/tree.h"
#include "parent_span.h"
#include "window.h"

namespace pagevault::engine {

/// An earlier version of the same file.
struct ParentFile {
  repo::MapRoot map;
  std::uint64_t length = 0;
  std::uint32_t page_size = 0;
};

struct MappingInput {
  /// Bytes the source should have; nothing for streams.
  std::optional<std::uint64_t> length;
  /// Ranges that hold data, ascending; what lies between are holes. Ignored for streams.
  std::vector<ByteRange> data;
  /// Known page size (PostgreSQL); otherwise the first bytes tell.
  std::optional<std::uint32_t> page_size;
  std::optional<ParentFile> parent;
  /// Compare ids instead of gates everywhere.
  bool paranoid = false;
  /// Metadata says the file is the parent's: only audited spans are read.
  bool trust_metadata = false;
  /// True for spans whose "unchanged" extents are hashed this time (S10).
  std::function<bool(std::uint64_t span)> audited;
  /// What its plain chunks are encoded with; null: nothing.
  DictionarySource* dictionaries = nullptr;
};

struct MappingResult {
  std::shared_ptr<MapBuilder> map;
  std::uint64_t length = 0;  ///< Bytes mapped; less than expected when the source shrank.
  std::uint64_t bytes_read = 0;
  std::uint32_t page_size = 0;
  std::shared_ptr<repo::DeltaTrial> trial;  ///< Whether deltas came out. Shared with chunks.
  bool differs = false;                     ///< From the parent's map, as far as it was looked at.
};

/// One per backup; map() is called by the reading thread only.
class FileMapper {
 public:
  struct Parts {
    repo::WriteSession& session;
    repo::ChunkReader& reader;
    Executor& workers;
    Completion& completion;
    /// The parent's references are looked up one by one before they are taken over (I6).
    bool prove_references;
    /// Called after every extent with the bytes it covers; an error ends the mapping (Cancelled).
    std::function<Status(std::uint64_t bytes)> tick;
  };
  static Result<FileMapper> create(const Parts& parts);

  /// Returns when everything was read; the map is finished by workers later. Errors: of the source.
  Result<MappingResult> map(BlockSource& source, const MappingInput& input);

  std::uint64_t audit_mismatches() const { return audit_->mismatches.load(); }

 private:
  struct SpanContext;
  FileMapper(const Parts& parts, chunker::StreamChunker stream);

  Result<std::uint32_t> detect_page_size(Window& window, const MappingInput& input);
  Result<const chunker::PageChunker*> page_chunker(std::uint32_t page_size);
  Status map_span(Window& window, const MappingInput& input, MappingResult& result,
                  MapReader* parent, std::uint64_t span);
  Status map_ranges(Window& window, SpanContext& context, const std::vector<ByteRange>& data,
                    std::uint64_t end);
  Status map_data(Window& window, SpanContext& context, std::uint64_t end);
  Result<bool> keep_parent_extent(Window& window, SpanContext& context, std::uint64_t end);
  Status cut_chunk(Window& window, SpanContext& context, std::uint64_t end);
  void submit(Window& window, SpanContext& context, std::size_t length,
              const repo::Extent* expected);
  void flush();
  ChunkBatch new_batch() const;
  Result<bool> may_reference(const ChunkId& id);

  Parts parts_;
  chunker::StreamChunker stream_;
  std::map<std::uint32_t, chunker::PageChunker> pages_;
  std::unique_ptr<AuditFindings> audit_;
  ChunkBatch batch_;
};

}  // namespace pagevault::engine
