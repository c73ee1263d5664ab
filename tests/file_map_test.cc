#include "pagevault/repo/file_map.h"

#include <gtest/gtest.h>

#include "file_map_samples.h"
#include "golden_bytes.h"

namespace pagevault::repo {
namespace {

Extent hole(std::uint64_t length) {
  Extent extent;
  extent.hole = true;
  extent.length = length;
  return extent;
}

Extent part(std::uint64_t offset, std::uint64_t length) {
  Extent extent;
  extent.chunk.bytes.fill(std::byte{0xc1});
  extent.whole_chunk = false;
  extent.chunk_offset = offset;
  extent.length = length;
  return extent;
}

Extent whole(std::uint64_t length) {
  Extent extent = part(0, length);
  extent.whole_chunk = true;
  return extent;
}

// A node written by hand, so that what the encoder refuses can be offered to the decoder.
Bytes raw_node(const std::vector<Extent>& extents) {
  Encoder out;
  out.u8(1);
  out.u8(0);
  out.varint(extents.size());
  for (const Extent& extent : extents) {
    out.u8(extent.hole ? 0 : (extent.whole_chunk ? 1 : 2));
    if (!extent.hole) out.raw(extent.chunk.view());
    if (!extent.hole && !extent.whole_chunk) out.varint(extent.chunk_offset);
    out.varint(extent.length);
    if (extent.hole) continue;
    out.raw(extent.gate.view());
    out.u32(extent.crc32c);
  }
  return out.take();
}

bool accepts_node(const std::vector<Extent>& extents) {
  const auto node = decode_span_node(raw_node(extents));
  if (!node) {
    EXPECT_EQ(node.error().code(), ErrorCode::Corrupt);
  }
  return node.has_value();
}

Result<MapRoot> decode_root(ByteView bytes) {
  Decoder in(bytes, "map root");
  return decode_map_root(in);
}

Bytes root_of_ids(std::uint8_t form, std::size_t count) {
  Encoder out;
  out.u8(form);
  out.varint(count);
  for (std::size_t i = 0; i < count * 32; ++i) out.u8(7);
  return out.take();
}

MapRoot root_with(MapRoot::Form form, std::size_t count) {
  MapRoot root;
  root.form = form;
  root.ids.resize(count);
  return root;
}

TEST(SpanNode, ComesBackAsItWasWritten) {
  RandomSamples samples(/*seed=*/11);
  for (int round = 0; round < 500; ++round) {
    const SpanNode node = samples.node();
    const auto back = decode_span_node(encode_span_node(node));
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(*back, node);
  }
}

TEST(SpanNode, HasTheBytesOfTheFormatDocument) {
  const SpanNode node = golden_node();
  EXPECT_EQ(encode_span_node(node), golden_bytes("file_map/v1/span_node.txt"));
  const auto back = decode_span_node(golden_bytes("file_map/v1/span_node.txt"));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(*back, node);
}

// covers S15, F6.3
TEST(SpanNode, AcceptsLengthsAtTheLimitAndRefusesOneAbove) {
  EXPECT_TRUE(accepts_node({hole(kSpanBytes)}));
  EXPECT_FALSE(accepts_node({hole(kSpanBytes + 1)}));
  EXPECT_FALSE(accepts_node({hole(kSpanBytes), hole(1)}));
  EXPECT_TRUE(accepts_node({whole(kChunkBytesMax)}));
  EXPECT_FALSE(accepts_node({whole(kChunkBytesMax + 1)}));
  EXPECT_TRUE(accepts_node({part(kChunkBytesMax - 5, 5)}));
  EXPECT_FALSE(accepts_node({part(kChunkBytesMax - 5, 6)}));
  EXPECT_FALSE(accepts_node({part(kChunkBytesMax, 1)}));
  EXPECT_FALSE(accepts_node({part(UINT64_MAX, 1)}));
  EXPECT_FALSE(accepts_node({hole(UINT64_MAX), hole(2)}));
}

// covers S15
TEST(SpanNode, AcceptsExtentsAtTheLimitAndRefusesOneMore) {
  EXPECT_TRUE(accepts_node(std::vector<Extent>(kNodeExtentsMax, hole(1))));
  EXPECT_FALSE(accepts_node(std::vector<Extent>(kNodeExtentsMax + 1, hole(1))));
}

TEST(SpanNode, RefusesEmptyNodesAndEmptyExtents) {
  EXPECT_FALSE(accepts_node({}));
  EXPECT_FALSE(accepts_node({hole(0)}));
  EXPECT_FALSE(accepts_node({whole(0)}));
  EXPECT_FALSE(accepts_node({part(3, 0)}));
}

TEST(SpanNode, RefusesOtherKindsFlagsAndTrailingBytes) {
  const Bytes good = raw_node({hole(9)});
  for (const std::size_t at : {0U, 1U, 3U}) {
    Bytes bad = good;
    bad[at] = std::byte{0x42};
    EXPECT_FALSE(decode_span_node(bad)) << "byte " << at;
  }
  Bytes longer = good;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(decode_span_node(longer));
}

// covers F5.2
TEST(SpanNode, RefusesEveryTruncation) {
  const Bytes whole_node = encode_span_node(golden_node());
  for (std::size_t size = 0; size < whole_node.size(); ++size) {
    const auto node = decode_span_node(ByteView(whole_node).first(size));
    ASSERT_FALSE(node) << size;
    EXPECT_EQ(node.error().code(), ErrorCode::Corrupt);
  }
}

TEST(NodeList, ComesBackAtItsLimitsAndIsRefusedAbove) {
  for (const std::size_t count : {std::size_t{1}, std::size_t{kNodesPerList}}) {
    std::vector<ChunkId> ids(count);
    ids.back().bytes.fill(std::byte{5});
    const auto back = decode_node_list(encode_node_list(ids));
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(*back, ids);
  }
  const std::vector<std::uint64_t> refused = {0, kNodesPerList + 1, UINT64_MAX};
  for (const std::uint64_t count : refused) {
    Encoder out;
    out.u8(2);
    out.u8(0);
    out.varint(count);
    out.zeros(32 * (kNodesPerList + 1));
    EXPECT_FALSE(decode_node_list(out.view())) << count;
  }
}

TEST(NodeList, HasTheBytesOfTheFormatDocument) {
  EXPECT_EQ(encode_node_list(golden_ids()), golden_bytes("file_map/v1/node_list.txt"));
  const auto back = decode_node_list(golden_bytes("file_map/v1/node_list.txt"));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(*back, golden_ids());
}

TEST(MapRoot, HasTheBytesOfTheFormatDocument) {
  Encoder out;
  for (const MapRoot& root : golden_roots()) encode_map_root(out, root);
  const Bytes golden = golden_bytes("file_map/v1/map_roots.txt");
  EXPECT_EQ(to_bytes(out.view()), golden);
  Decoder in(golden, "map roots");
  for (const MapRoot& root : golden_roots()) {
    const auto back = decode_map_root(in);
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(*back, root);
  }
  EXPECT_TRUE(in.finish());
}

// covers S15
TEST(MapRoot, AcceptsNodesAndListsAtTheLimitAndRefusesOneMore) {
  EXPECT_TRUE(decode_root(root_of_ids(2, kInlineNodesMax)));
  EXPECT_FALSE(decode_root(root_of_ids(2, kInlineNodesMax + 1)));
  EXPECT_FALSE(decode_root(root_of_ids(2, 0)));
  EXPECT_TRUE(decode_root(root_of_ids(3, kNodesPerList)));
  EXPECT_FALSE(decode_root(root_of_ids(3, kNodesPerList + 1)));
  EXPECT_FALSE(decode_root(root_of_ids(4, 1)));
}

TEST(MapRoot, RefusesAListWithoutAnId) {
  Encoder out;
  out.u8(3);
  out.varint(1);
  out.zeros(32);
  EXPECT_FALSE(decode_root(out.view()));
}

// covers S15
TEST(MapRoot, AcceptsAnInlineNodeAtTheLimitAndRefusesOneByteMore) {
  for (const std::uint64_t size : {std::uint64_t{0}, 128 * kKiB, 128 * kKiB + 1}) {
    Encoder out;
    out.u8(1);
    out.varint(size);
    out.zeros(size);
    EXPECT_EQ(decode_root(out.view()).has_value(), size == 128 * kKiB);
  }
}

// covers F6.4
TEST(MapRoot, MustFitTheLengthBesideIt) {
  using Form = MapRoot::Form;
  EXPECT_TRUE(check_map_root({}, 0));
  EXPECT_FALSE(check_map_root({}, 1));
  EXPECT_TRUE(check_map_root(root_with(Form::Nodes, 2), kSpanBytes + 1));
  EXPECT_TRUE(check_map_root(root_with(Form::Nodes, 2), 2 * kSpanBytes));
  EXPECT_FALSE(check_map_root(root_with(Form::Nodes, 2), kSpanBytes));
  EXPECT_FALSE(check_map_root(root_with(Form::Nodes, 2), 2 * kSpanBytes + 1));
  EXPECT_TRUE(check_map_root(root_with(Form::Lists, 1), kNodesPerList * kSpanBytes));
  EXPECT_FALSE(check_map_root(root_with(Form::Lists, 1), kNodesPerList * kSpanBytes + 1));
  EXPECT_FALSE(check_map_root(root_with(Form::Lists, kNodesPerList), kFileBytesMax));
}

TEST(MapRoot, InlineMustAddUpToTheLengthBesideIt) {
  MapRoot root;
  root.form = MapRoot::Form::Inline;
  root.inline_node = encode_span_node({hole(10), whole(5)});
  EXPECT_TRUE(check_map_root(root, 15));
  EXPECT_FALSE(check_map_root(root, 14));
  EXPECT_FALSE(check_map_root(root, 0));
  root.inline_node.pop_back();
  EXPECT_FALSE(check_map_root(root, 15));
}

// covers S16, F5.1
TEST(SpanNode, DamageIsRefusedOrGivesAnotherValidNode) {
  RandomSamples samples(/*seed=*/23);
  for (int round = 0; round < 20'000; ++round) {
    const Bytes bytes = samples.damaged(encode_span_node(samples.node()));
    const auto node = decode_span_node(bytes);
    if (node) {
      EXPECT_EQ(encode_span_node(*node), bytes);  // One encoding for one meaning.
    }
    decode_node_list(bytes).ignore("must only not crash");
    decode_root(bytes).ignore("must only not crash");
  }
}

}  // namespace
}  // namespace pagevault::repo
