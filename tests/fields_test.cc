// Tagged fields, and the bodies of config and session made of them: docs/format.md, section 3.
// covers S12, S15, S16, F6.3, F9.2

#include "pagevault/repo/fields.h"

#include <gtest/gtest.h>

#include "file_map_samples.h"
#include "key_samples.h"
#include "pagevault/repo/config.h"
#include "pagevault/repo/session_object.h"

namespace pagevault::repo {

namespace {

struct Field {
  std::uint16_t tag;
  Bytes value;
};

Bytes encode(const std::vector<Field>& fields) {
  Encoder out;
  for (const Field& field : fields) {
    out.u16(field.tag);
    out.u32(static_cast<std::uint32_t>(field.value.size()));
    out.raw(field.value);
  }
  return out.take();
}

/// The fields of `body` one by one, for putting together others.
std::vector<Field> split(ByteView body) {
  std::vector<Field> fields;
  Decoder in(body, "test");
  while (!in.at_end()) {
    const std::uint16_t tag = in.u16().value();
    const std::uint32_t length = in.u32().value();
    fields.push_back({tag, to_bytes(in.raw(length).value())});
  }
  return fields;
}

Bytes with_field(ByteView body, const Field& added) {
  std::vector<Field> fields = split(body);
  std::erase_if(fields, [&](const Field& field) { return field.tag == added.tag; });
  fields.push_back(added);
  std::ranges::sort(fields, {}, &Field::tag);
  return encode(fields);
}

Bytes without_field(ByteView body, std::uint16_t tag) {
  std::vector<Field> fields = split(body);
  std::erase_if(fields, [&](const Field& field) { return field.tag == tag; });
  return encode(fields);
}

Bytes u32_bytes(std::uint32_t value) {
  Encoder out;
  out.u32(value);
  return out.take();
}

Bytes chunker_bytes(std::uint8_t kind, const chunker::ChunkSizes& sizes) {
  Encoder out;
  out.u8(kind);
  out.u32(sizes.min);
  out.u32(sizes.target);
  out.u32(sizes.max);
  return out.take();
}

template <class T>
std::optional<ErrorCode> code_of(const Result<T>& result) {
  if (result) return std::nullopt;
  return result.error().code();
}

TEST(Fields, WhatIsWrittenComesBack) {
  FieldWriter out;
  out.add_text(3, "text");
  out.add_u8(0x8001, 200);
  out.add_u32(0x8002, 1'000'000);
  out.add_u64(0x8003, ~std::uint64_t{0});
  out.add_i64(0x8004, -1);
  const Bytes body = out.take();
  const auto fields = FieldReader::parse(body, "test");
  ASSERT_TRUE(fields);
  EXPECT_EQ(fields->text(3).value(), "text");
  EXPECT_EQ(fields->u8(0x8001).value(), 200);
  EXPECT_EQ(fields->u32(0x8002).value(), 1'000'000U);
  EXPECT_EQ(fields->u64(0x8003).value(), ~std::uint64_t{0});
  EXPECT_EQ(fields->i64(0x8004).value(), -1);
  EXPECT_TRUE(fields->has(3));
  EXPECT_FALSE(fields->has(4));
  EXPECT_TRUE(fields->optional(4).empty());
  EXPECT_EQ(code_of(fields->required(4)), ErrorCode::Corrupt);
  EXPECT_EQ(code_of(fields->u64(0x8002)), ErrorCode::Corrupt) << "too short";
  EXPECT_EQ(code_of(fields->u8(0x8002)), ErrorCode::Corrupt) << "too long";
}

TEST(Fields, TagsThatDoNotAscendAreCorrupt) {
  EXPECT_TRUE(FieldReader::parse({}, "test"));
  EXPECT_TRUE(FieldReader::parse(encode({{1, {}}, {2, {}}}), "test"));
  EXPECT_EQ(code_of(FieldReader::parse(encode({{2, {}}, {1, {}}}), "test")), ErrorCode::Corrupt);
  EXPECT_EQ(code_of(FieldReader::parse(encode({{1, {}}, {1, {}}}), "test")), ErrorCode::Corrupt);
}

TEST(Fields, AsManyAsTheLimitAreReadAndOneMoreIsNot) {
  std::vector<Field> fields;
  for (std::uint16_t tag = 0; tag < kFieldsMax; ++tag) fields.push_back({tag, {}});
  EXPECT_TRUE(FieldReader::parse(encode(fields), "test"));
  fields.push_back({kFieldsMax, {}});
  EXPECT_EQ(code_of(FieldReader::parse(encode(fields), "test")), ErrorCode::Corrupt);
}

TEST(Fields, LengthsBeyondTheInputAreCorrupt) {
  const Bytes whole = encode({{1, Bytes(10)}});
  for (std::size_t length = 1; length < whole.size(); ++length) {
    EXPECT_EQ(code_of(FieldReader::parse(ByteView(whole).first(length), "test")),
              ErrorCode::Corrupt);
  }
  Bytes huge = whole;
  store_le32(MutableBytes(huge).subspan(2), 0xffffffff);
  EXPECT_EQ(code_of(FieldReader::parse(huge, "test")), ErrorCode::Corrupt);
}

TEST(Fields, UnknownCriticalTagIsUnsupportedAndUnknownOptionalTagIsNot) {
  const Bytes body = encode({{0x0007, {}}, {0x8001, {}}, {0x8002, {}}});
  const auto fields = FieldReader::parse(body, "test");
  ASSERT_TRUE(fields);
  const std::uint16_t both[] = {0x8001, 0x8002};
  const std::uint16_t one[] = {0x8001};
  EXPECT_TRUE(fields->require_known(both));
  EXPECT_EQ(code_of(fields->require_known(one)), ErrorCode::Unsupported);
}

Config sample_config() {
  return {.id = id_of<RepositoryId>(3), .created_ns = 12345, .label = "the label"};
}

TEST(ConfigBody, ComesBack) {
  Config config = sample_config();
  config.stream_sizes = {.min = 4096, .target = 8192, .max = 65536};
  config.page_sizes = {.min = 65536, .target = 65536, .max = 131072};
  config.pack_bytes = 64 * kMiB;
  const auto again = decode_config(encode_config(config));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(again->id, config.id);
  EXPECT_EQ(again->created_ns, config.created_ns);
  EXPECT_EQ(again->stream_sizes, config.stream_sizes);
  EXPECT_EQ(again->page_sizes, config.page_sizes);
  EXPECT_EQ(again->pack_bytes, config.pack_bytes);
  EXPECT_EQ(again->data_key_mode, KeyMode::Derived);
  EXPECT_EQ(again->label, config.label);
}

TEST(ConfigBody, UnknownSettingsAreUnsupported) {
  const Bytes body = encode_config(sample_config());
  const auto verdict = [&](std::uint16_t tag, Bytes value) {
    return code_of(decode_config(with_field(body, {tag, std::move(value)})));
  };
  Bytes sealed_mode(33);
  sealed_mode[0] = std::byte{2};
  Bytes feature(8);
  feature[7] = std::byte{0x80};
  EXPECT_EQ(verdict(0x0042, {}), std::nullopt);
  EXPECT_EQ(verdict(0x8042, {}), ErrorCode::Unsupported);
  EXPECT_EQ(verdict(0x8003, chunker_bytes(2, {})), ErrorCode::Unsupported);
  EXPECT_EQ(verdict(0x8004, chunker_bytes(0, {})), ErrorCode::Unsupported);
  EXPECT_EQ(verdict(0x8005, u32_bytes(32 * kMiB)), ErrorCode::Unsupported);
  EXPECT_EQ(verdict(0x8007, sealed_mode), ErrorCode::Unsupported);
  EXPECT_EQ(verdict(0x8008, feature), ErrorCode::Unsupported);
}

TEST(ConfigBody, ValuesOutsideTheirBoundsAreCorrupt) {
  const Bytes body = encode_config(sample_config());
  const auto verdict = [&](std::uint16_t tag, Bytes value) {
    return code_of(decode_config(with_field(body, {tag, std::move(value)})));
  };
  Bytes key_in_derived_mode(33, std::byte{1});
  EXPECT_EQ(verdict(0x8001, Bytes(15)), ErrorCode::Corrupt);
  EXPECT_EQ(verdict(0x8003, chunker_bytes(1, {.min = 1, .target = 64, .max = 128})),
            ErrorCode::Corrupt);
  EXPECT_EQ(verdict(0x8003, chunker_bytes(1, {.min = 64, .target = 128, .max = 0xffffffff})),
            ErrorCode::Corrupt);
  EXPECT_EQ(verdict(0x8006, u32_bytes(16 * kMiB)), std::nullopt);
  EXPECT_EQ(verdict(0x8006, u32_bytes(16 * kMiB - 1)), ErrorCode::Corrupt);
  EXPECT_EQ(verdict(0x8006, u32_bytes(64 * kMiB)), std::nullopt);
  EXPECT_EQ(verdict(0x8006, u32_bytes(64 * kMiB + 1)), ErrorCode::Corrupt);
  EXPECT_EQ(verdict(0x8007, key_in_derived_mode), ErrorCode::Corrupt);
  EXPECT_EQ(verdict(0x0009, Bytes(1, std::byte{9})), ErrorCode::Corrupt);
}

TEST(ConfigBody, EveryMissingFieldButTheLabelIsCorrupt) {
  const Bytes body = encode_config(sample_config());
  for (std::uint16_t tag = 0x8001; tag <= 0x8008; ++tag) {
    EXPECT_EQ(code_of(decode_config(without_field(body, tag))), ErrorCode::Corrupt) << tag;
  }
  EXPECT_TRUE(decode_config(without_field(body, 0x0009)));
}

TEST(SessionBody, ComesBackAndMissesOnlyWhatIsOptional) {
  const SessionRecord record{.session = id_of<SessionId>(4),
                             .heartbeat = 17,
                             .time_ns = -3,
                             .host = "db1",
                             .process_id = 4711};
  const Bytes body = encode_session(record);
  const auto again = decode_session(body);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->session, record.session);
  EXPECT_EQ(again->heartbeat, record.heartbeat);
  EXPECT_EQ(again->time_ns, record.time_ns);
  EXPECT_EQ(again->host, record.host);
  EXPECT_EQ(again->process_id, record.process_id);
  for (std::uint16_t tag = 0x8001; tag <= 0x8003; ++tag) {
    EXPECT_EQ(code_of(decode_session(without_field(body, tag))), ErrorCode::Corrupt) << tag;
  }
  for (std::uint16_t tag = 0x0004; tag <= 0x0005; ++tag) {
    EXPECT_TRUE(decode_session(without_field(body, tag))) << tag;
  }
  EXPECT_EQ(code_of(decode_session(with_field(body, {0x8004, {}}))), ErrorCode::Unsupported);
}

TEST(Fields, DamagedBodiesAreReadOrRefusedButNeverCrash) {
  RandomSamples random(20'261);
  const Bytes config = encode_config(sample_config());
  const Bytes session = encode_session({.session = id_of<SessionId>(4), .host = "db1"});
  for (int round = 0; round < 20'000; ++round) {
    const Bytes damaged = random.damaged(config);
    if (const auto read = decode_config(damaged)) {
      EXPECT_TRUE(decode_config(encode_config(*read)));
    }
    decode_session(random.damaged(session)).ignore("must only not crash");
  }
}

}  // namespace

}  // namespace pagevault::repo
