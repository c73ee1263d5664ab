#include "file_mapper.h"

#include <algorithm>
#include <utility>

#include "pagevault/chunker/gate.h"
#include "pagevault/chunker/sticky_cuts.h"
#include "pagevault/sqlitesupport/page_size.h"

namespace pagevault::engine {

namespace {

// The data ranges inside [begin, end).
std::vector<ByteRange> clip(const std::vector<ByteRange>& ranges, std::uint64_t begin,
                            std::uint64_t end) {
  std::vector<ByteRange> out;
  for (const ByteRange& range : ranges) {
    const std::uint64_t from = std::max(range.offset, begin);
    const std::uint64_t to = std::min(range.offset + range.length, end);
    if (from < to) out.push_back({from, to - from});
  }
  return out;
}

repo::Extent hole_of(std::uint64_t length) {
  repo::Extent extent;
  extent.hole = true;
  extent.length = length;
  return extent;
}

// Adds the parent's span to `map` unread. A zero node id means a hole only where the map says so by
// nodes; an inline map has none.
bool take_over_span(MapReader& parent, std::uint64_t span, MapBuilder& map) {
  const auto node = parent.node_id(span);
  if (!node || (node->is_zero() && parent.is_inline())) return false;
  map.add_known_span(*node);
  return true;
}

}  // namespace

// What is known while one span is mapped.
struct FileMapper::SpanContext {
  std::uint64_t start = 0;
  std::uint64_t length = 0;  // Of the span now; the most it can be for streams.
  std::shared_ptr<MapBuilder> map;
  std::shared_ptr<MapBuilder::Span> span;
  const chunker::PageChunker* pages = nullptr;  // Null: stream chunker.
  bool by_id = false;                           // Compare ids: paranoid, or audited.
  bool is_stream = false;

  ParentSpan parent;
  DictionarySource* dictionaries = nullptr;
  std::shared_ptr<repo::DeltaTrial> trial;  // Shared with the chunks on their way.
  bool differs = false;                     // Some extent was cut anew.
  bool all_kept = true;                     // Every extent so far is the parent's, in order.

  // The parent's last extent was ended by the end of its file, not by a cut, if the file grew.
  bool grew_beyond(const repo::Extent* extent) const {
    return !is_stream && parent.is_last(extent) && length > parent.length();
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
  return 0U;
}

Result<MappingResult> FileMapper::map(BlockSource& source, const MappingInput& input) {
  Window window(source);
  MappingResult result;
  result.trial = std::make_shared<repo::DeltaTrial>();
  PV_TRY_ASSIGN(result.page_size, detect_page_size(window, input));
  result.map = std::make_shared<MapBuilder>(parts_.session, parts_.completion,
                                            input.parent ? input.parent->map : repo::MapRoot{});

  std::optional<MapReader> parent;
  if (input.parent && input.parent->page_size == result.page_size) {
    parent.emplace(parts_.reader, input.parent->map, input.parent->length);
  }
  const std::uint64_t length_max = input.length.value_or(repo::kFileBytesMax);
  Status status;
  for (std::uint64_t span = 0; status && span * repo::kSpanBytes < length_max; ++span) {
    const std::uint64_t before = window.position();
    status = map_span(window, input, result, parent ? &*parent : nullptr, span);
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

Status FileMapper::map_span(Window& window, const MappingInput& input, MappingResult& result,
                            MapReader* parent, std::uint64_t span) {
  SpanContext context;
  context.start = span * repo::kSpanBytes;
  context.is_stream = !input.length;
  context.dictionaries = input.dictionaries;
  context.trial = result.trial;
  const std::uint64_t end =
      std::min(input.length.value_or(repo::kFileBytesMax), context.start + repo::kSpanBytes);
  context.length = end - context.start;
  const bool audited = input.audited && input.audited(span);
  context.by_id = input.paranoid || audited;
  if (parent != nullptr && span < parent->spans()) {
    if (input.trust_metadata && !audited && take_over_span(*parent, span, *result.map)) {
      window.skip_to(end);
      return ok();
    }
    context.parent = ParentSpan::load(*parent, span);
  }
  const auto data = context.is_stream ? std::vector<ByteRange>{{context.start, context.length}}
                                      : clip(input.data, context.start, end);
  if (!data.empty() && data.front().offset == context.start) {
    PV_TRY_ASSIGN(const ByteView head, window.view(1));
    if (head.empty()) return ok();  // The source ends exactly at the border: no further span.
  }
  if (result.page_size != 0) {
    PV_TRY_ASSIGN(context.pages, page_chunker(result.page_size));
  }
  context.map = result.map;
  context.span = result.map->begin_span(context.parent.node_id());
  Status status = map_ranges(window, context, data, end);
  result.differs = result.differs || context.differs;
  const std::uint64_t mapped = window.position() - context.start;
  const ChunkId& known_node = context.parent.node_id();
  const auto reusable = may_reference(known_node);
  if (reusable && *reusable && context.all_kept && !known_node.is_zero() &&
      mapped == context.parent.length()) {
    context.span->close_as(known_node);
  } else {
    context.span->close();
  }
  return status;
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

// Takes over the parent's extent at this place if its bytes are still there.
Result<bool> FileMapper::keep_parent_extent(Window& window, SpanContext& context,
                                            std::uint64_t end) {
  const repo::Extent* extent = context.parent.extent_at(window.position() - context.start);
  if (extent == nullptr || extent->hole || extent->length > kHeadroomBytes) return false;
  if (window.position() + extent->length > end || context.grew_beyond(extent)) return false;
  PV_TRY_ASSIGN(const ByteView view, window.view(extent->length));
  if (view.size() < extent->length) return false;
  const ByteView bytes = view.first(extent->length);
  const auto& keys = parts_.reader.repository().keys();
  if (chunker::gate_of(keys.gate(), bytes) != extent->gate) return false;
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
  context.differs = true;
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
