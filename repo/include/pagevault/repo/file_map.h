// Extents, span nodes, node lists and map roots: which chunks form a stream. docs/format.md, 5.
// Pure codecs; decoders take untrusted bytes.

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "pagevault/base/codec.h"
#include "pagevault/base/digest.h"
#include "pagevault/base/result.h"
#include "pagevault/chunker/gate.h"
#include "pagevault/repo/format.h"

namespace pagevault::repo {

struct Extent {
  bool hole = false;
  ChunkId chunk;  ///< Unless hole.
  std::uint64_t chunk_offset = 0;
  bool whole_chunk = true;   ///< The extent is the whole chunk (then chunk_offset is 0).
  std::uint64_t length = 0;  ///< Not zero.
  chunker::Gate gate{};
  std::uint32_t crc32c = 0;
  bool operator==(const Extent&) const = default;
};

/// Extents of one span, in order.
using SpanNode = std::vector<Extent>;

/// Precondition (checked): what decode_span_node accepts.
Bytes encode_span_node(const SpanNode& node);
/// Errors: Corrupt (limits, zero lengths, more than kSpanBytes in total).
Result<SpanNode> decode_span_node(ByteView bytes);
std::uint64_t length_of(const SpanNode& node);

/// Precondition (checked): 1..kNodesPerList nodes.
Bytes encode_node_list(const std::vector<ChunkId>& nodes);
/// Errors: Corrupt.
Result<std::vector<ChunkId>> decode_node_list(ByteView bytes);

/// How a stream's nodes are found. Zero ids are spans that are one hole.
struct MapRoot {
  enum class Form : std::uint8_t { Empty = 0, Inline = 1, Nodes = 2, Lists = 3 };
  Form form = Form::Empty;
  Bytes inline_node;         ///< Form::Inline: an encoded span node.
  std::vector<ChunkId> ids;  ///< Nodes or lists.
  bool operator==(const MapRoot&) const = default;
};

void encode_map_root(Encoder& out, const MapRoot& root);
/// Form and limits only. Errors: Corrupt.
Result<MapRoot> decode_map_root(Decoder& in);
/// Corrupt unless `root` has exactly the nodes or lists that a stream of `length` bytes needs; an
/// inline node must also add up to `length`.
Status check_map_root(const MapRoot& root, std::uint64_t length);

}  // namespace pagevault::repo
