#include "pagevault/repo/config.h"

#include <fmt/format.h>

#include "pagevault/repo/fields.h"

namespace pagevault::repo {

namespace {

// Tags: docs/format.md, 3 "Config".
enum Tag : std::uint16_t {
  kRepository = 0x8001,
  kCreated = 0x8002,
  kStreamChunker = 0x8003,
  kPageChunker = 0x8004,
  kSpanLength = 0x8005,
  kPackLength = 0x8006,
  kDataKeyMode = 0x8007,
  kFeatures = 0x8008,
  kLabel = 0x0009,
};
constexpr std::uint16_t kKnown[] = {kRepository, kCreated,    kStreamChunker, kPageChunker,
                                    kSpanLength, kPackLength, kDataKeyMode,   kFeatures};

constexpr std::uint8_t kChunkerKind = 1;
constexpr std::size_t kPublicKeyBytes = 32;

Error unsupported(std::string_view what) {
  return {ErrorCode::Unsupported, fmt::format("config: {} is not supported", what)};
}

Bytes encode_chunker(const chunker::ChunkSizes& sizes) {
  Encoder out;
  out.u8(kChunkerKind);
  out.u32(sizes.min);
  out.u32(sizes.target);
  out.u32(sizes.max);
  return out.take();
}

Result<chunker::ChunkSizes> decode_chunker(const FieldReader& fields, std::uint16_t tag) {
  PV_TRY_ASSIGN(const ByteView value, fields.required(tag));
  Decoder in(value, "config: chunker");
  chunker::ChunkSizes sizes;
  PV_TRY_ASSIGN(const std::uint8_t kind, in.u8());
  if (kind != kChunkerKind) return unsupported(fmt::format("chunker kind {}", kind));
  PV_TRY_ASSIGN(sizes.min, in.u32());
  PV_TRY_ASSIGN(sizes.target, in.u32());
  PV_TRY_ASSIGN(sizes.max, in.u32());
  PV_TRY(in.finish());
  if (!chunker::check_chunk_sizes(sizes)) return in.corrupt("sizes outside their bounds");
  return sizes;
}

Bytes encode_key_mode(KeyMode mode) {
  Encoder out;
  out.u8(static_cast<std::uint8_t>(mode));
  out.zeros(kPublicKeyBytes);
  return out.take();
}

Result<KeyMode> decode_key_mode(const FieldReader& fields) {
  PV_TRY_ASSIGN(const ByteView value, fields.required(kDataKeyMode));
  Decoder in(value, "config: key mode");
  PV_TRY_ASSIGN(const std::uint8_t mode, in.u8());
  PV_TRY_ASSIGN(const ByteView public_key, in.raw(kPublicKeyBytes));
  PV_TRY(in.finish());
  if (mode != static_cast<std::uint8_t>(KeyMode::Derived)) {
    return unsupported(fmt::format("key mode {}", mode));
  }
  if (!is_all_zero(public_key)) return in.corrupt("a public key without sealed keys");
  return KeyMode::Derived;
}

/// What changes how everything else is read.
Status refuse_newer(const FieldReader& fields) {
  PV_TRY(fields.require_known(kKnown));
  PV_TRY_ASSIGN(const std::uint64_t features, fields.u64(kFeatures));
  if (features != 0) return unsupported(fmt::format("feature set {:#x}", features));
  PV_TRY_ASSIGN(const std::uint32_t span, fields.u32(kSpanLength));
  if (span != kSpanBytes) return unsupported(fmt::format("span length {}", span));
  return ok();
}

}  // namespace

Bytes encode_config(const Config& config) {
  PV_CHECK(config.data_key_mode == KeyMode::Derived);
  FieldWriter out;
  // Ascending: the label's tag is below the critical ones.
  if (!config.label.empty()) out.add_text(kLabel, config.label);
  out.add(kRepository, config.id.view());
  out.add_i64(kCreated, config.created_ns);
  out.add(kStreamChunker, encode_chunker(config.stream_sizes));
  out.add(kPageChunker, encode_chunker(config.page_sizes));
  out.add_u32(kSpanLength, static_cast<std::uint32_t>(kSpanBytes));
  out.add_u32(kPackLength, config.pack_bytes);
  out.add(kDataKeyMode, encode_key_mode(config.data_key_mode));
  out.add_u64(kFeatures, 0);
  return out.take();
}

Result<Config> decode_config(ByteView body) {
  PV_TRY_ASSIGN(const FieldReader fields, FieldReader::parse(body, "config"));
  PV_TRY(refuse_newer(fields));
  Config config;
  PV_TRY_ASSIGN(config.id.bytes, fields.array<RepositoryId::kBytes>(kRepository));
  PV_TRY_ASSIGN(config.created_ns, fields.i64(kCreated));
  PV_TRY_ASSIGN(config.stream_sizes, decode_chunker(fields, kStreamChunker));
  PV_TRY_ASSIGN(config.page_sizes, decode_chunker(fields, kPageChunker));
  PV_TRY_ASSIGN(config.pack_bytes, fields.u32(kPackLength));
  if (config.pack_bytes < kConfigPackBytesMin || config.pack_bytes > kConfigPackBytesMax) {
    return Error(ErrorCode::Corrupt,
                 fmt::format("config: pack length {} is outside its bounds", config.pack_bytes));
  }
  PV_TRY_ASSIGN(config.data_key_mode, decode_key_mode(fields));
  if (fields.has(kLabel)) {
    PV_TRY_ASSIGN(config.label, fields.text(kLabel));
  }
  return config;
}

}  // namespace pagevault::repo
