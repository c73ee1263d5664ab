#include "pagevault/repo/index_object.h"

#include <fmt/format.h>

#include "pagevault/repo/pack_writer.h"

namespace pagevault::repo {

namespace {

constexpr std::uint8_t kIndexVersion = 1;
/// Id, three bytes, file length, count of blobs.
constexpr std::size_t kPackBytesMinInIndex = 32 + 3 + 8 + 1 + kBlobEntryBytesMin;

void encode_pack(Encoder& out, const PackDirectory& pack) {
  out.raw(pack.info.id.view());
  out.u8(static_cast<std::uint8_t>(pack.info.content));
  out.u8(static_cast<std::uint8_t>(pack.info.cipher));
  out.u8(static_cast<std::uint8_t>(pack.info.key_mode));
  out.u64(pack.info.file_bytes);
  out.varint(pack.blobs.size());
  for (const BlobEntry& blob : pack.blobs) encode_blob_entry(out, blob);
}

/// An enumeration of two values, 1 and 2. A cipher this processor lacks is no error here: the
/// index is readable without it.
template <class Enum>
Result<Enum> decode_one_or_two(Decoder& in, std::string_view what) {
  PV_TRY_ASSIGN(const std::uint8_t number, in.u8());
  if (number < 1 || number > 2) {
    return Error(ErrorCode::Unsupported, fmt::format("index object: unknown {} {}", what, number));
  }
  return static_cast<Enum>(number);
}

Result<PackDirectory> decode_pack(Decoder& in) {
  PackDirectory pack;
  PV_TRY_ASSIGN(pack.info.id.bytes, in.array<32>());
  PV_TRY_ASSIGN(pack.info.content, decode_one_or_two<PackContent>(in, "pack content"));
  PV_TRY_ASSIGN(pack.info.cipher, decode_one_or_two<Cipher>(in, "cipher"));
  PV_TRY_ASSIGN(pack.info.key_mode, decode_one_or_two<KeyMode>(in, "key mode"));
  PV_TRY_ASSIGN(pack.info.file_bytes, in.u64());
  PV_TRY_ASSIGN(const std::uint64_t count, in.varint());
  PV_TRY_ASSIGN(pack.blobs, decode_blob_entries(in, count, pack.info.content));
  if (pack.info.file_bytes > kPackBytesMax || pack.info.file_bytes != pack_file_bytes(pack.blobs)) {
    return in.corrupt("length of a pack differs from what its blobs need");
  }
  return pack;
}

}  // namespace

Bytes encode_index_object(const IndexObject& index) {
  Encoder out;
  out.u8(kIndexVersion);
  out.varint(index.packs.size());
  for (const PackDirectory& pack : index.packs) encode_pack(out, pack);
  out.varint(index.replaces.size());
  for (const IndexId& id : index.replaces) out.raw(id.view());
  return out.take();
}

Result<IndexObject> decode_index_object(ByteView body) {
  Decoder in(body, "index object");
  PV_TRY_ASSIGN(const std::uint8_t version, in.u8());
  if (version != kIndexVersion) {
    return Error(ErrorCode::Unsupported, fmt::format("index object: unknown version {}", version));
  }
  IndexObject index;
  PV_TRY_ASSIGN(const std::uint64_t packs, in.varint(0, in.remaining() / kPackBytesMinInIndex));
  index.packs.reserve(packs);
  for (std::uint64_t i = 0; i < packs; ++i) {
    PV_TRY_ASSIGN(index.packs.emplace_back(), decode_pack(in));
  }
  PV_TRY_ASSIGN(const std::uint64_t replaces, in.varint(0, in.remaining() / IndexId::kBytes));
  index.replaces.resize(replaces);
  for (IndexId& id : index.replaces) {
    PV_TRY_ASSIGN(id.bytes, in.array<32>());
  }
  PV_TRY(in.finish());
  return index;
}

}  // namespace pagevault::repo
