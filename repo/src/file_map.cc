#include "pagevault/repo/file_map.h"

#include <fmt/format.h>

#include <algorithm>

namespace pagevault::repo {

namespace {

constexpr std::uint8_t kSpanNodeKind = 1;
constexpr std::uint8_t kNodeListKind = 2;
// One list of 4,096 ids has 128 KiB; an inline node of that size is no writer's, but legal.
constexpr std::uint64_t kInlineNodeBytesMax = 128 * kKiB;

enum class ExtentKind : std::uint8_t { Hole = 0, Whole = 1, Part = 2 };

ExtentKind kind_of(const Extent& extent) {
  if (extent.hole) return ExtentKind::Hole;
  return extent.whole_chunk ? ExtentKind::Whole : ExtentKind::Part;
}

bool is_encodable(const Extent& extent) {
  if (extent.length == 0) return false;
  if (extent.hole) return extent.length <= kSpanBytes;
  if (extent.length > kChunkBytesMax) return false;
  return extent.whole_chunk ? extent.chunk_offset == 0
                            : extent.chunk_offset <= kChunkBytesMax - extent.length;
}

void encode_extent(Encoder& out, const Extent& extent) {
  PV_CHECK(is_encodable(extent));
  const ExtentKind kind = kind_of(extent);
  out.u8(static_cast<std::uint8_t>(kind));
  if (kind != ExtentKind::Hole) out.raw(extent.chunk.view());
  if (kind == ExtentKind::Part) out.varint(extent.chunk_offset);
  out.varint(extent.length);
  if (kind == ExtentKind::Hole) return;
  out.raw(extent.gate.view());
  out.u32(extent.crc32c);
}

Status decode_hole(Decoder& in, Extent& extent) {
  extent.hole = true;
  PV_TRY_ASSIGN(extent.length, in.varint(1, kSpanBytes));
  return ok();
}

Status decode_stored(Decoder& in, ExtentKind kind, Extent& extent) {
  extent.whole_chunk = kind == ExtentKind::Whole;
  PV_TRY_ASSIGN(extent.chunk.bytes, in.array<ChunkId::kBytes>());
  if (kind == ExtentKind::Part) {
    PV_TRY_ASSIGN(extent.chunk_offset, in.varint(0, kChunkBytesMax - 1));
  }
  PV_TRY_ASSIGN(extent.length, in.varint(1, kChunkBytesMax - extent.chunk_offset));
  PV_TRY_ASSIGN(extent.gate.bytes, in.array<chunker::Gate::kBytes>());
  PV_TRY_ASSIGN(extent.crc32c, in.u32());
  return ok();
}

// Into its place in the node: a backup decodes every extent of the parent's map, some twice.
Status decode_extent(Decoder& in, Extent& extent) {
  PV_TRY_ASSIGN(const std::uint8_t kind, in.u8());
  switch (static_cast<ExtentKind>(kind)) {
    case ExtentKind::Hole:
      return decode_hole(in, extent);
    case ExtentKind::Whole:
    case ExtentKind::Part:
      return decode_stored(in, static_cast<ExtentKind>(kind), extent);
  }
  return in.corrupt(fmt::format("unknown kind of extent {}", kind));
}

Status decode_node_header(Decoder& in, std::uint8_t expected_kind) {
  PV_TRY_ASSIGN(const std::uint8_t kind, in.u8());
  if (kind != expected_kind) return in.corrupt(fmt::format("unexpected kind {}", kind));
  PV_TRY_ASSIGN(const std::uint8_t flags, in.u8());
  if (flags != 0) return in.corrupt(fmt::format("unknown flags {:#x}", flags));
  return ok();
}

void encode_ids(Encoder& out, const std::vector<ChunkId>& ids, std::uint64_t count_max) {
  PV_CHECK(!ids.empty() && ids.size() <= count_max);
  out.varint(ids.size());
  for (const ChunkId& id : ids) out.raw(id.view());
}

Result<std::vector<ChunkId>> decode_ids(Decoder& in, std::uint64_t count_max) {
  PV_TRY_ASSIGN(const std::uint64_t count, in.varint(1, count_max));
  PV_TRY_ASSIGN(const ByteView all, in.raw(count * ChunkId::kBytes));
  std::vector<ChunkId> ids;
  ids.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    ids.push_back(ChunkId::from_view(all.subspan(i * ChunkId::kBytes, ChunkId::kBytes)));
  }
  return ids;
}

// Zero ids mean "one hole" for nodes only; a list always exists.
Result<std::vector<ChunkId>> decode_list_ids(Decoder& in) {
  PV_TRY_ASSIGN(auto ids, decode_ids(in, kNodesPerList));
  for (const ChunkId& id : ids) {
    if (id.is_zero()) return in.corrupt("a node list without an id");
  }
  return ids;
}

constexpr std::uint64_t divide_up(std::uint64_t a, std::uint64_t b) {
  return a / b + (a % b == 0 ? 0 : 1);
}

Error wrong_length(std::uint64_t length) {
  return {ErrorCode::Corrupt, fmt::format("map root: does not fit a length of {} bytes", length)};
}

Status check_inline(const MapRoot& root, std::uint64_t length) {
  PV_TRY_ASSIGN(const SpanNode node, decode_span_node(root.inline_node));
  if (length_of(node) != length) return wrong_length(length);
  return ok();
}

}  // namespace

Bytes encode_span_node(const SpanNode& node) {
  PV_CHECK(!node.empty() && node.size() <= kNodeExtentsMax && length_of(node) <= kSpanBytes);
  Encoder out;
  out.u8(kSpanNodeKind);
  out.u8(0);
  out.varint(node.size());
  for (const Extent& extent : node) encode_extent(out, extent);
  return out.take();
}

Result<SpanNode> decode_span_node(ByteView bytes) {
  Decoder in(bytes, "span node");
  PV_TRY(decode_node_header(in, kSpanNodeKind));
  PV_TRY_ASSIGN(const std::uint64_t count, in.varint(1, kNodeExtentsMax));
  SpanNode node;
  node.reserve(std::min<std::uint64_t>(count, in.remaining()));  // An extent takes a byte at least.
  std::uint64_t length = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    PV_TRY(decode_extent(in, node.emplace_back()));
    length += node.back().length;  // Both below 2^27: no overflow.
    if (length > kSpanBytes) return in.corrupt("extents exceed the span");
  }
  PV_TRY(in.finish());
  return node;
}

std::uint64_t length_of(const SpanNode& node) {
  std::uint64_t length = 0;
  for (const Extent& extent : node) length += extent.length;
  return length;
}

Bytes encode_node_list(const std::vector<ChunkId>& nodes) {
  Encoder out;
  out.u8(kNodeListKind);
  out.u8(0);
  encode_ids(out, nodes, kNodesPerList);
  return out.take();
}

Result<std::vector<ChunkId>> decode_node_list(ByteView bytes) {
  Decoder in(bytes, "node list");
  PV_TRY(decode_node_header(in, kNodeListKind));
  PV_TRY_ASSIGN(auto nodes, decode_ids(in, kNodesPerList));
  PV_TRY(in.finish());
  return nodes;
}

void encode_map_root(Encoder& out, const MapRoot& root) {
  out.u8(static_cast<std::uint8_t>(root.form));
  switch (root.form) {
    case MapRoot::Form::Empty:
      return;
    case MapRoot::Form::Inline:
      PV_CHECK(!root.inline_node.empty() && root.inline_node.size() <= kInlineNodeBytesMax);
      return out.str(root.inline_node);
    case MapRoot::Form::Nodes:
      return encode_ids(out, root.ids, kInlineNodesMax);
    case MapRoot::Form::Lists:
      return encode_ids(out, root.ids, kNodesPerList);
  }
  PV_CHECK(false);
}

Result<MapRoot> decode_map_root(Decoder& in) {
  PV_TRY_ASSIGN(const std::uint8_t form, in.u8());
  MapRoot root;
  root.form = static_cast<MapRoot::Form>(form);
  switch (root.form) {
    case MapRoot::Form::Empty:
      return root;
    case MapRoot::Form::Inline: {
      PV_TRY_ASSIGN(const ByteView node, in.str(kInlineNodeBytesMax));
      if (node.empty()) return in.corrupt("an inline node without bytes");
      root.inline_node = to_bytes(node);
      return root;
    }
    case MapRoot::Form::Nodes: {
      PV_TRY_ASSIGN(root.ids, decode_ids(in, kInlineNodesMax));
      return root;
    }
    case MapRoot::Form::Lists: {
      PV_TRY_ASSIGN(root.ids, decode_list_ids(in));
      return root;
    }
  }
  return in.corrupt(fmt::format("unknown form of map root {}", form));
}

Status check_map_root(const MapRoot& root, std::uint64_t length) {
  const std::uint64_t spans = divide_up(length, kSpanBytes);
  switch (root.form) {
    case MapRoot::Form::Empty:
      return length == 0 ? ok() : wrong_length(length);
    case MapRoot::Form::Inline:
      return check_inline(root, length);
    case MapRoot::Form::Nodes:
      return root.ids.size() == spans ? ok() : wrong_length(length);
    case MapRoot::Form::Lists:
      return root.ids.size() == divide_up(spans, kNodesPerList) ? ok() : wrong_length(length);
  }
  return wrong_length(length);
}

}  // namespace pagevault::repo
