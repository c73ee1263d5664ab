#include "file_mapper.h"

#include <algorithm>
#include <latch>
#include <utility>

#include "pagevault/chunker/gate.h"
#include "pagevault/chunker/sticky_cuts.h"
#include "pagevault/sqlitesupport/page_size.h"

namespace pagevault::engine {

namespace {

// Holes that should still be there are looked at in pieces of this; whole pages of every size.
constexpr std::uint64_t kHoleViewBytes = 64 * kKiB;

repo::Extent hole_of(std::uint64_t length) {
  repo::Extent extent;
  extent.hole = true;
  extent.length = length;
  return extent;
}

// Nothing when what lies between input.data is not the parent's.
std::optional<ChangedPlaces> places_of(const MappingInput& input) {
  if (input.paranoid || !input.length) return std::nullopt;
  if (!input.changed && !input.trust_metadata) return std::nullopt;
  const auto ranges =
      input.changed ? std::span<const ByteRange>(*input.changed) : std::span<const ByteRange>();
  const std::uint64_t before = input.parent ? input.parent->length : 0;
  return ChangedPlaces(ranges, {.before = before, .now = *input.length});
}

// All of [begin, end) was read. Reading a part of it only would be our bug.
bool covers(const std::vector<ByteRange>& data, std::uint64_t begin, std::uint64_t end) {
  const auto inside = clip(data, begin, end);
  return inside.size() == 1 && inside.front() == ByteRange{begin, end - begin};
}

}  // namespace

// What is known while one file is mapped.
struct FileMapper::FileContext {
  const MappingInput& input;
  MappingResult& result;
  MapReader* parent = nullptr;            // Null: none, or its pages have another size.
  const ChangedPlaces* places = nullptr;  // Null: what was not read are holes.
};

// What is known while one span is mapped.
struct FileMapper::SpanContext {
  std::uint64_t start = 0;
  std::uint64_t length = 0;  // Of the span now; the most it can be for streams.
  std::shared_ptr<MapBuilder> map;
  std::shared_ptr<MapBuilder::Span> span;
  const chunker::PageChunker* pages = nullptr;  // Null: stream chunker.
  bool by_id = false;                           // Compare ids: paranoid, or audited.
  bool is_stream = false;
  const ChangedPlaces* places = nullptr;  // As in FileContext.

  ParentSpan parent;
  DictionarySource* dictionaries = nullptr;
  std::shared_ptr<repo::DeltaTrial> trial;  // Shared with the chunks on their way.
  bool all_kept = true;                     // Every extent so far is the parent's, in order.
  bool differs = false;                     // As in MappingResult.

  // The parent's last extent was ended by the end of its file, not by a cut, if the file grew.
  bool grew_beyond(const repo::Extent* extent) const {
    return !is_stream && parent.is_last(extent) && length > parent.length();
  }

  // Bytes are neither read nor the parent's: there can be no map. Its position stays where it is.
  void give_up() {
    differs = true;
    map->fail(Error(ErrorCode::Corrupt, "the parent's map cannot give what was not read"));
  }
};

FileMapper::FileMapper(const Parts& parts, chunker::StreamChunker stream)
    : parts_(parts),
      stream_(std::move(stream)),
      audit_(std::make_unique<AuditFindings>()),
      batch_(new_batch()) {}

ChunkBatch FileMapper::new_batch() const {
  return {parts_.session, parts_.reader.repository().keys(), *audit_};
}

Result<FileMapper> FileMapper::create(const Parts& parts) {
  const repo::Repository& repository = parts.reader.repository();
  PV_TRY_ASSIGN(auto stream, chunker::StreamChunker::create(repository.keys().cut(),
                                                            repository.config().stream_sizes));
  return FileMapper(parts, std::move(stream));
}

Result<std::vector<ByteRange>> FileMapper::ranges_to_read(const MappingInput& input) {
  PV_CHECK(input.length);
  const auto places = places_of(input);
  ReadPlan plan;
  plan.length = *input.length;
  plan.audited = input.audited;
  std::optional<MapReader> parent;
  const bool same_pages =
      input.parent && input.page_size.value_or(input.parent->page_size) == input.parent->page_size;
  if (places && same_pages) {
    plan.parent = &parent.emplace(parts_.reader, input.parent->map, input.parent->length);
    plan.places = &*places;
  }
  if (parts_.prove_references && !input.trust_metadata) {
    plan.may_reference = [this](const ChunkId& chunk) { return may_reference(chunk); };
  }
  plan.prefetch = [this](std::span<const ChunkId> nodes) { prefetch(nodes); };
  return engine::ranges_to_read(plan);
}

// The workers put them into the reader's cache, several at a time.
void FileMapper::prefetch(std::span<const ChunkId> nodes) {
  std::latch read(static_cast<std::ptrdiff_t>(nodes.size()));
  for (const ChunkId& node : nodes) {
    parts_.workers.submit([&] {
      parts_.reader.read_metadata(node).ignore("is read again when it is needed");
      read.count_down();
    });
  }
  read.wait();
}

Result<const chunker::PageChunker*> FileMapper::page_chunker(std::uint32_t page_size) {
  const auto found = pages_.find(page_size);
  if (found != pages_.end()) return &found->second;
  const repo::Repository& repository = parts_.reader.repository();
  PV_TRY_ASSIGN(auto made, chunker::PageChunker::create(repository.keys().cut(),
                                                        repository.config().page_sizes, page_size));
  return &pages_.emplace(page_size, std::move(made)).first->second;
}

Result<std::uint32_t> FileMapper::detect_page_size(Window& window, const MappingInput& input) {
  if (input.page_size) return *input.page_size;
  // A trusted file is what its parent was; its first bytes may not even be read.
  if (input.trust_metadata && input.parent) return input.parent->page_size;
  if (!input.length || (!input.data.empty() && input.data.front().offset == 0)) {
    PV_TRY_ASSIGN(const ByteView head, window.view(sqlitesupport::kHeaderBytes));
    return sqlitesupport::sqlite_page_size(head).value_or(0);
  }
  return input.changed && input.parent ? input.parent->page_size : 0U;
}

Result<MappingResult> FileMapper::map(BlockSource& source, const MappingInput& input) {
  Window window(source);
  MappingResult result;
  result.trial = std::make_shared<repo::DeltaTrial>();
  PV_TRY_ASSIGN(result.page_size, detect_page_size(window, input));
  result.map = std::make_shared<MapBuilder>(parts_.session, parts_.completion,
                                            input.parent ? input.parent->map : repo::MapRoot{});

  const auto places = places_of(input);
  FileContext file{.input = input, .result = result, .places = places ? &*places : nullptr};
  std::optional<MapReader> parent;
  if (input.parent && input.parent->page_size == result.page_size) {
    file.parent = &parent.emplace(parts_.reader, input.parent->map, input.parent->length);
  }
  const std::uint64_t length_max = input.length.value_or(repo::kFileBytesMax);
  Status status;
  for (std::uint64_t span = 0; status && span * repo::kSpanBytes < length_max; ++span) {
    const std::uint64_t before = window.position();
    status = map_span(window, file, span);
    const std::uint64_t expected = std::min(length_max, (span + 1) * repo::kSpanBytes);
    if (window.position() < expected) break;  // The source ended.
    if (window.position() == before) break;
  }
  flush();
  if (!status) result.map->fail(status.error());
  result.length = window.position();
  result.bytes_read = window.bytes_read();
  result.map->close(result.length);
  if (!status) return status.error();
  return result;
}

Status FileMapper::map_span(Window& window, FileContext& file, std::uint64_t span) {
  const MappingInput& input = file.input;
  const std::uint64_t start = span * repo::kSpanBytes;
  const std::uint64_t end =
      std::min(input.length.value_or(repo::kFileBytesMax), start + repo::kSpanBytes);
  const auto data =
      input.length ? clip(input.data, start, end) : std::vector<ByteRange>{{start, end - start}};
  if (data.empty()) {
    PV_TRY_ASSIGN(const bool taken, take_over_span(window, file, span, end));
    if (taken) return ok();
  } else if (data.front().offset == start) {
    PV_TRY_ASSIGN(const ByteView head, window.view(1));
    if (head.empty()) return ok();  // The source ends exactly at the border: no further span.
  }
  PV_TRY_ASSIGN(SpanContext context, begin_span(file, span, end));
  Status status = context.places != nullptr ? map_places(window, context, data, end)
                                            : map_ranges(window, context, data, end);
  file.result.differs = file.result.differs || context.differs;
  end_span(context, window.position() - start);
  return status;
}

// Adds a span of which nothing was read as what the parent has there, undecoded if possible.
Result<bool> FileMapper::take_over_span(Window& window, FileContext& file, std::uint64_t span,
                                        std::uint64_t end) {
  if (file.parent == nullptr || span >= file.parent->spans()) return false;
  if (file.places == nullptr || !file.places->leaves_span(span)) return false;
  if (parts_.prove_references && !file.input.trust_metadata) return false;
  const auto node = whole_span_node(*file.parent, span);
  if (!node) return false;
  file.result.map->add_known_span(*node);
  const std::uint64_t length = end - window.position();
  window.skip_to(end);
  PV_TRY(parts_.tick(length));
  return true;
}

Result<FileMapper::SpanContext> FileMapper::begin_span(FileContext& file, std::uint64_t span,
                                                       std::uint64_t end) {
  const MappingInput& input = file.input;
  SpanContext context;
  context.start = span * repo::kSpanBytes;
  context.length = end - context.start;
  context.is_stream = !input.length;
  context.by_id = input.paranoid || (input.audited && input.audited(span));
  context.places = file.places;
  context.dictionaries = input.dictionaries;
  context.trial = file.result.trial;
  if (file.parent != nullptr) context.parent = ParentSpan::load(*file.parent, span);
  if (file.result.page_size != 0) {
    PV_TRY_ASSIGN(context.pages, page_chunker(file.result.page_size));
  }
  context.map = file.result.map;
  context.span = context.map->begin_span(context.parent.node_id());
  return context;
}

void FileMapper::end_span(SpanContext& context, std::uint64_t mapped) {
  const ChunkId& known_node = context.parent.node_id();
  const auto reusable = may_reference(known_node);
  if (reusable && *reusable && context.all_kept && !known_node.is_zero() &&
      mapped == context.parent.length()) {
    context.span->close_as(known_node);
  } else {
    context.span->close();
  }
}

// Maps the data ranges of a span, and the holes before, between and after them.
Status FileMapper::map_ranges(Window& window, SpanContext& context,
                              const std::vector<ByteRange>& data, std::uint64_t end) {
  const auto skip_hole = [&](std::uint64_t to) {
    if (to == window.position()) return;
    context.span->add(hole_of(to - window.position()));
    context.all_kept = false;
    window.skip_to(to);
  };
  for (const ByteRange& range : data) {
    skip_hole(range.offset);
    PV_TRY(map_data(window, context, range.offset + range.length));
    if (window.position() < range.offset + range.length) return ok();  // The source ended early.
  }
  if (!context.is_stream) skip_hole(end);
  return ok();
}

// Maps a span of which the extents that are as they were need not have been read.
Status FileMapper::map_places(Window& window, SpanContext& context,
                              const std::vector<ByteRange>& data, std::uint64_t end) {
  std::uint64_t extent_end = context.start;
  for (const repo::Extent& extent : context.parent.extents()) {
    const std::uint64_t begin = std::exchange(extent_end, extent_end + extent.length);
    if (begin >= end) break;
    if (!extent.hole && !context.places->leaves_extent(begin, extent_end)) continue;
    PV_TRY(map_read(window, context, data, begin));
    if (window.position() < begin) return ok();  // The source ended early.
    const std::uint64_t known_end = std::min(extent_end, end);
    if (extent.hole) {
      PV_TRY(map_hole(window, context, data, known_end));
    } else if (covers(data, begin, extent_end)) {
      PV_TRY(map_left_extent(window, context, extent));
    } else {
      PV_CHECK(clip(data, begin, extent_end).empty());
      PV_TRY(take_over_extent(window, context, extent));
    }
    if (window.position() < known_end) return ok();
  }
  return map_read(window, context, data, end);
}

// Maps what was a hole from here to `end`: what is named in it as data, the rest as a hole still.
Status FileMapper::map_hole(Window& window, SpanContext& context,
                            const std::vector<ByteRange>& data, std::uint64_t end) {
  for (const ByteRange& named : context.places->named_in_hole(window.position(), end)) {
    PV_TRY(map_left_hole(window, context, data, named.offset));
    if (window.position() < named.offset) return ok();
    PV_TRY(map_read(window, context, data, named.offset + named.length));
    if (window.position() < named.offset + named.length) return ok();
  }
  return map_left_hole(window, context, data, end);
}

// Maps what may have changed up to `end`.
Status FileMapper::map_read(Window& window, SpanContext& context,
                            const std::vector<ByteRange>& data, std::uint64_t end) {
  if (window.position() == end) return ok();
  if (covers(data, window.position(), end)) return map_data(window, context, end);
  context.give_up();
  return ok();
}

// An extent that was not read.
Status FileMapper::take_over_extent(Window& window, SpanContext& context,
                                    const repo::Extent& extent) {
  PV_TRY_ASSIGN(const bool usable, may_reference(extent.chunk));
  if (!usable) {
    context.give_up();
    return ok();
  }
  context.span->add(extent);
  window.skip_to(window.position() + extent.length);
  return parts_.tick(extent.length);
}

// An extent that was read although it should be as it was: an audit (S10), or the repository has
// lost its chunk.
Status FileMapper::map_left_extent(Window& window, SpanContext& context,
                                   const repo::Extent& extent) {
  const std::uint64_t end = window.position() + extent.length;
  if (extent.length <= kHeadroomBytes) {
    PV_TRY_ASSIGN(const ByteView view, window.view(extent.length));
    const bool is_whole = view.size() >= extent.length;
    if (is_whole && !is_as_before(view.first(extent.length), extent)) context.differs = true;
  }
  return map_data(window, context, end);
}

// A part of a hole that should be one still, up to `end`; if it was read, this is an audit.
Status FileMapper::map_left_hole(Window& window, SpanContext& context,
                                 const std::vector<ByteRange>& data, std::uint64_t end) {
  if (window.position() == end) return ok();
  if (!covers(data, window.position(), end)) {
    PV_CHECK(clip(data, window.position(), end).empty());
    context.span->add(hole_of(end - window.position()));
    const std::uint64_t length = end - window.position();
    window.skip_to(end);
    return parts_.tick(length);
  }
  while (window.position() < end) {
    const std::size_t wanted =
        static_cast<std::size_t>(std::min(end - window.position(), kHoleViewBytes));
    PV_TRY_ASSIGN(const ByteView view, window.view(wanted));
    if (view.empty()) return ok();  // The source ended early.
    const std::size_t size = std::min(view.size(), wanted);
    if (!is_all_zero(view.first(size))) {
      context.differs = true;
      PV_TRY(map_data(window, context, window.position() + size));
      continue;
    }
    context.span->add(hole_of(size));
    window.consume(size);
    PV_TRY(parts_.tick(size));
  }
  return ok();
}

Status FileMapper::map_data(Window& window, SpanContext& context, std::uint64_t end) {
  while (window.position() < end) {
    PV_TRY_ASSIGN(const ByteView next, window.view(1));
    if (next.empty()) return ok();  // The source ended early.
    const std::uint64_t before = window.position();
    PV_TRY_ASSIGN(const bool kept, keep_parent_extent(window, context, end));
    if (!kept) PV_TRY(cut_chunk(window, context, end));
    PV_TRY(parts_.tick(window.position() - before));
  }
  return ok();
}

Result<bool> FileMapper::may_reference(const ChunkId& id) {
  if (!parts_.prove_references || id.is_zero()) return true;
  return parts_.session.is_present(id);
}

bool FileMapper::is_as_before(ByteView bytes, const repo::Extent& extent) const {
  return chunker::gate_of(parts_.reader.repository().keys().gate(), bytes) == extent.gate;
}

// Takes over the parent's extent at this place if its bytes are still there.
Result<bool> FileMapper::keep_parent_extent(Window& window, SpanContext& context,
                                            std::uint64_t end) {
  const repo::Extent* extent = context.parent.extent_at(window.position() - context.start);
  if (extent == nullptr || extent->hole || extent->length > kHeadroomBytes) return false;
  if (window.position() + extent->length > end || context.grew_beyond(extent)) return false;
  PV_TRY_ASSIGN(const ByteView view, window.view(extent->length));
  if (view.size() < extent->length) return false;
  const ByteView bytes = view.first(extent->length);
  if (!is_as_before(bytes, *extent)) return false;
  PV_TRY_ASSIGN(const bool usable, may_reference(extent->chunk));
  if (!usable) return false;
  if (context.by_id && extent->whole_chunk) {
    context.all_kept = false;
    submit(window, context, bytes.size(), extent);
    return true;
  }
  context.span->add(*extent);
  window.consume(bytes.size());
  return true;
}

Status FileMapper::cut_chunk(Window& window, SpanContext& context, std::uint64_t end) {
  context.all_kept = false;
  const std::uint64_t left = end - window.position();
  const std::uint64_t offset = window.position() - context.start;
  const std::uint32_t max = context.pages ? context.pages->sizes().max : stream_.sizes().max;
  std::uint64_t limit = std::min<std::uint64_t>(left, max);
  bool exact = false;
  if (context.pages != nullptr && context.trial->changes_in_place()) {
    // Sticky cuts: a page changed in place keeps its chunk's borders (chunker/sticky_cuts.h). Where
    // pages have moved they would only hide what content finds again.
    const chunker::StickyCuts sticky(context.parent.ends(), context.length, max);
    const chunker::NextCut next = sticky.next(offset);
    exact = next.exact && next.limit - offset <= limit;
    limit = std::min(limit, next.limit - offset);
  }
  PV_TRY_ASSIGN(const ByteView view, window.view(static_cast<std::size_t>(limit)));
  const ByteView input = view.first(std::min<std::size_t>(view.size(), limit));
  const std::size_t length = exact                      ? input.size()
                             : context.pages != nullptr ? context.pages->cut(input)
                                                        : stream_.cut(input);
  submit(window, context, length, nullptr);
  return ok();
}

void FileMapper::submit(Window& window, SpanContext& context, std::size_t length,
                        const repo::Extent* expected) {
  PV_CHECK(length > 0);
  const auto view = window.view(length);
  PV_CHECK(view.has_value());  // Seen already: nothing is read here.
  const std::uint64_t offset = window.position() - context.start;
  const repo::Predecessor predecessor = context.parent.predecessor_of(offset, length);
  std::shared_ptr<repo::SourceDictionary> dictionary;
  if (context.dictionaries != nullptr) {
    dictionary = context.dictionaries->for_chunk(!predecessor.chunk.is_zero(), length);
  }
  batch_.add({.owner = window.owner(),
              .bytes = view->first(length),
              .map = context.map,
              .span = context.span,
              .extent = context.span->add_pending(),
              .predecessor = predecessor,
              .expected = expected ? std::optional(*expected) : std::nullopt,
              .trial = context.trial,
              .dictionary = std::move(dictionary)});
  window.consume(length);
  if (batch_.is_ready()) flush();
}

// Hands what was cut to the workers.
void FileMapper::flush() {
  if (batch_.empty()) return;
  parts_.workers.submit([batch = std::exchange(batch_, new_batch())]() mutable { batch.run(); });
}

}  // namespace pagevault::engine
