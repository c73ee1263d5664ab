#include "pagevault/repo/blob.h"

#include <fmt/format.h>

#include <bit>

namespace pagevault::repo {

namespace {

Error unknown(std::string_view what, std::uint8_t number) {
  return {ErrorCode::Unsupported, fmt::format("blob: unknown {} {}", what, number)};
}

Result<BlobType> decode_type(Decoder& in) {
  PV_TRY_ASSIGN(const std::uint8_t number, in.u8());
  if (number < 1 || number > 3) return unknown("type", number);
  return static_cast<BlobType>(number);
}

Result<Encoding> decode_encoding(Decoder& in) {
  PV_TRY_ASSIGN(const std::uint8_t number, in.u8());
  if (number < 1 || number > 4) return unknown("encoding", number);
  return static_cast<Encoding>(number);
}

std::size_t varint_bytes(std::uint64_t value) {
  return value == 0 ? 1 : (static_cast<std::size_t>(std::bit_width(value)) + 6) / 7;
}

}  // namespace

std::string_view problem_of(const BlobEntry& entry) {
  const std::uint64_t stored = entry.stored_bytes;
  const std::uint64_t plain = entry.plain_bytes;
  if (plain == 0 || plain > kChunkBytesMax) return "plain length out of bounds";
  if (stored <= kTagBytes || stored > plain + kTagBytes) return "stored length out of bounds";
  if (entry.encoding == Encoding::Raw && stored != plain + kTagBytes) return "raw length differs";
  if (has_base(entry.encoding) == entry.base.is_zero()) return "base does not fit the encoding";
  if (has_base(entry.encoding) && entry.base == entry.id) return "base is the chunk itself";
  if (entry.type == BlobType::Dictionary && has_base(entry.encoding))
    return "dictionary has a base";
  return {};
}

void encode_blob_entry(Encoder& out, const BlobEntry& entry) {
  out.raw(entry.id.view());
  out.u8(static_cast<std::uint8_t>(entry.type));
  out.u8(static_cast<std::uint8_t>(entry.encoding));
  out.varint(entry.stored_bytes);
  out.varint(entry.plain_bytes);
  if (has_base(entry.encoding)) out.raw(entry.base.view());
}

std::size_t blob_entry_bytes(const BlobEntry& entry) {
  const std::size_t base = has_base(entry.encoding) ? ChunkId::kBytes : 0;
  return ChunkId::kBytes + 2 + varint_bytes(entry.stored_bytes) + varint_bytes(entry.plain_bytes) +
         base;
}

Result<BlobEntry> decode_blob_entry(Decoder& in) {
  BlobEntry entry;
  PV_TRY_ASSIGN(entry.id.bytes, in.array<32>());
  PV_TRY_ASSIGN(entry.type, decode_type(in));
  PV_TRY_ASSIGN(entry.encoding, decode_encoding(in));
  PV_TRY_ASSIGN(const std::uint64_t stored, in.varint(kTagBytes + 1, kChunkBytesMax + kTagBytes));
  PV_TRY_ASSIGN(const std::uint64_t plain, in.varint(1, kChunkBytesMax));
  entry.stored_bytes = static_cast<std::uint32_t>(stored);
  entry.plain_bytes = static_cast<std::uint32_t>(plain);
  if (has_base(entry.encoding)) {
    PV_TRY_ASSIGN(entry.base.bytes, in.array<32>());
  }
  if (const auto problem = problem_of(entry); !problem.empty()) return in.corrupt(problem);
  return entry;
}

Result<std::vector<BlobEntry>> decode_blob_entries(Decoder& in, std::uint64_t count,
                                                   PackContent content) {
  if (count < 1 || count > kPackBlobsMax) return in.corrupt("number of blobs out of bounds");
  if (count > in.remaining() / kBlobEntryBytesMin) return in.corrupt("more blobs than bytes");
  std::vector<BlobEntry> blobs;
  blobs.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    PV_TRY_ASSIGN(blobs.emplace_back(), decode_blob_entry(in));
    if (!belongs(blobs.back().type, content)) return in.corrupt("blob type in the wrong pack");
  }
  return blobs;
}

}  // namespace pagevault::repo
