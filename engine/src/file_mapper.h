// Turns the bytes of one file or stream into a map of chunks, taking from the parent's map what
// did not change. Design section 4, in order of cost:
//   1. spans and extents that are as they were, by metadata or because the source says where it
//      changed, are taken over unread;
//   2. extents whose gate equals the parent's at the same place are taken over;
//   3. the rest is cut, and workers compute ids, look them up and store what is new, as deltas of
//      what the parent had in that place.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "changed_reads.h"
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
  /// Ranges that the source gives, ascending; what lies between are holes or, with `trust_metadata`
  /// or `changed`, as in the parent. Ignored for streams.
  std::vector<ByteRange> data;
  /// Known page size (PostgreSQL); otherwise the first bytes tell.
  std::optional<std::uint32_t> page_size;
  std::optional<ParentFile> parent;
  /// Compare ids instead of gates everywhere.
  bool paranoid = false;
  /// Metadata says the file is the parent's: only audited spans are read. The caller has proved the
  /// parent's references where they are to be proved.
  bool trust_metadata = false;
  /// The source says that the file differs from the parent's only here (ascending, not touching)
  /// and by its length. Then `data` is what FileMapper::ranges_to_read says. Not for streams; of no
  /// effect with `paranoid`.
  std::optional<std::vector<ByteRange>> changed;
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
  /// `trust_metadata` or `changed` do not hold: an extent that they say is as it was is not, or
  /// cannot be had from the parent. The map is to be thrown away and all of the file to be mapped.
  bool differs = false;
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

  /// What `data` must be for an input with `changed`; everything when that is of no use, for want
  /// of a parent with the same page size. Errors: of the index.
  Result<std::vector<ByteRange>> ranges_to_read(const MappingInput& input);

  /// Returns when everything was read; the map is finished by workers later. Errors: of the source.
  Result<MappingResult> map(BlockSource& source, const MappingInput& input);

  std::uint64_t audit_mismatches() const { return audit_->mismatches.load(); }

 private:
  struct FileContext;
  struct SpanContext;
  FileMapper(const Parts& parts, chunker::StreamChunker stream);

  static Result<std::uint32_t> detect_page_size(Window& window, const MappingInput& input);
  void prefetch(std::span<const ChunkId> nodes);
  Result<const chunker::PageChunker*> page_chunker(std::uint32_t page_size);
  Status map_span(Window& window, FileContext& file, std::uint64_t span);
  Result<bool> take_over_span(Window& window, FileContext& file, std::uint64_t span,
                              std::uint64_t end);
  Result<SpanContext> begin_span(FileContext& file, std::uint64_t span, std::uint64_t end);
  void end_span(SpanContext& context, std::uint64_t mapped);
  Status map_ranges(Window& window, SpanContext& context, const std::vector<ByteRange>& data,
                    std::uint64_t end);
  Status map_places(Window& window, SpanContext& context, const std::vector<ByteRange>& data,
                    std::uint64_t end);
  Status map_read(Window& window, SpanContext& context, const std::vector<ByteRange>& data,
                  std::uint64_t end);
  Status take_over_extent(Window& window, SpanContext& context, const repo::Extent& extent);
  Status map_left_extent(Window& window, SpanContext& context, const repo::Extent& extent);
  Status map_hole(Window& window, SpanContext& context, const std::vector<ByteRange>& data,
                  std::uint64_t end);
  Status map_left_hole(Window& window, SpanContext& context, const std::vector<ByteRange>& data,
                       std::uint64_t end);
  Status map_data(Window& window, SpanContext& context, std::uint64_t end);
  bool is_as_before(ByteView bytes, const repo::Extent& extent) const;
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
