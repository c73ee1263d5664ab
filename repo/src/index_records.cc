#include "index_records.h"

namespace pagevault::repo {

namespace {

template <class Enum>
Result<Enum> decode_enum(Decoder& in, Enum last) {
  PV_TRY_ASSIGN(const std::uint8_t value, in.u8());
  if (value < 1 || value > static_cast<std::uint8_t>(last)) return in.corrupt("unknown value");
  return static_cast<Enum>(value);
}

template <class T>
Status decode_varint(Decoder& in, T& out, std::uint64_t max) {
  PV_TRY_ASSIGN(const std::uint64_t value, in.varint(0, max));
  out = static_cast<T>(value);
  return ok();
}

Status decode_kind(Decoder& in, BlobEntry& entry) {
  PV_TRY_ASSIGN(const std::uint8_t kind, in.u8());
  const unsigned type = kind >> 4U;
  const unsigned encoding = kind & 15U;
  if (type < 1 || type > static_cast<unsigned>(BlobType::Dictionary)) {
    return in.corrupt("unknown blob type");
  }
  if (encoding < 1 || encoding > static_cast<unsigned>(Encoding::ZstdDelta)) {
    return in.corrupt("unknown encoding");
  }
  entry.type = static_cast<BlobType>(type);
  entry.encoding = static_cast<Encoding>(encoding);
  return ok();
}

}  // namespace

std::string pack_key(PackNumber number) {
  std::string key(1, kPackPrefix);
  for (int shift = 24; shift >= 0; shift -= 8) key.push_back(static_cast<char>(number >> shift));
  return key;
}

std::string number_value(PackNumber number) {
  Encoder out;
  out.u32(number);
  return std::string(as_text(out.view()));
}

Result<PackNumber> decode_number(std::string_view value) {
  Decoder in(as_bytes(value), "index cache: pack number");
  PV_TRY_ASSIGN(const PackNumber number, in.u32());
  PV_TRY(in.finish());
  return number;
}

std::optional<ByteView> id_of_key(std::string_view key) {
  if (key.size() != 1 + ChunkId::kBytes) return std::nullopt;
  return as_bytes(key.substr(1));
}

std::string pack_value(const PackInfo& info) {
  Encoder out;
  out.raw(info.id.view());
  out.u8(static_cast<std::uint8_t>(info.content));
  out.u8(static_cast<std::uint8_t>(info.cipher));
  out.u8(static_cast<std::uint8_t>(info.key_mode));
  out.varint(info.file_bytes);
  return std::string(as_text(out.view()));
}

Result<PackInfo> decode_pack(std::string_view value) {
  Decoder in(as_bytes(value), "index cache: pack");
  PackInfo info;
  PV_TRY_ASSIGN(info.id.bytes, in.array<PackId::kBytes>());
  PV_TRY_ASSIGN(info.content, decode_enum(in, PackContent::Metadata));
  PV_TRY_ASSIGN(info.cipher, decode_enum(in, Cipher::XChaCha20Poly1305));
  PV_TRY_ASSIGN(info.key_mode, decode_enum(in, KeyMode::Sealed));
  PV_TRY_ASSIGN(info.file_bytes, in.varint());
  PV_TRY(in.finish());
  return info;
}

Bytes encode_location(PackNumber pack, const BlobLocation& where) {
  const BlobEntry& entry = where.entry;
  Encoder out;
  out.varint(pack);
  out.varint(where.ordinal);
  out.varint(where.offset);
  out.varint(entry.stored_bytes);
  out.varint(entry.plain_bytes);
  out.u8(static_cast<std::uint8_t>((static_cast<unsigned>(entry.type) << 4U) |
                                   static_cast<unsigned>(entry.encoding)));
  if (has_base(entry.encoding)) out.raw(entry.base.view());
  return out.take();
}

Result<LocationRecord> decode_location(Decoder& in, const ChunkId& id) {
  LocationRecord record;
  BlobEntry& entry = record.where.entry;
  entry.id = id;
  PV_TRY(decode_varint(in, record.pack, UINT32_MAX));
  PV_TRY(decode_varint(in, record.where.ordinal, kPackBlobsMax - 1));
  PV_TRY(decode_varint(in, record.where.offset, kPackBytesMax));
  PV_TRY(decode_varint(in, entry.stored_bytes, UINT32_MAX));
  PV_TRY(decode_varint(in, entry.plain_bytes, kChunkBytesMax));
  PV_TRY(decode_kind(in, entry));
  if (has_base(entry.encoding)) {
    PV_TRY_ASSIGN(entry.base.bytes, in.array<ChunkId::kBytes>());
  }
  return record;
}

}  // namespace pagevault::repo
