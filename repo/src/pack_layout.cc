#include "pack_layout.h"

#include <fmt/format.h>

#include <bit>

namespace pagevault::repo {

std::uint64_t padme(std::uint64_t length) {
  if (length < 2) return length;
  const auto exponent = static_cast<unsigned>(std::bit_width(length) - 1);
  const auto kept = static_cast<unsigned>(std::bit_width(exponent));
  if (kept >= exponent) return length;
  const std::uint64_t mask = (std::uint64_t{1} << (exponent - kept)) - 1;
  return (length + mask) & ~mask;
}

std::uint64_t pack_file_bytes(std::span<const BlobEntry> blobs) {
  std::uint64_t length = kPackHeaderBytes + kTagBytes + kPackTrailerBytes;
  for (const BlobEntry& blob : blobs) length += blob.stored_bytes + blob_entry_bytes(blob);
  return padme(length);
}

std::array<std::byte, 136> BlobBinding::bytes() const {
  Encoder out;
  out.raw(repository.view());
  out.raw(pack.view());
  out.u32(ordinal);
  out.u64(offset);
  out.u8(type);
  out.u8(encoding);
  out.u16(0);
  out.u32(stored_bytes);
  out.u32(plain_bytes);
  out.raw(id.view());
  out.raw(base.view());
  std::array<std::byte, 136> bytes{};
  PV_CHECK(out.size() == bytes.size());
  std::copy_n(out.view().begin(), bytes.size(), bytes.begin());
  return bytes;
}

BlobBinding blob_binding(const RepositoryId& repository, const BlobLocation& where) {
  return {.repository = repository,
          .pack = where.pack.id,
          .ordinal = where.ordinal,
          .offset = where.offset,
          .type = static_cast<std::uint8_t>(where.entry.type),
          .encoding = static_cast<std::uint8_t>(where.entry.encoding),
          .stored_bytes = where.entry.stored_bytes,
          .plain_bytes = where.entry.plain_bytes,
          .id = where.entry.id,
          .base = where.entry.base};
}

BlobBinding directory_binding(const RepositoryId& repository, const PackId& pack, ByteView header,
                              const PackTrailer& trailer) {
  return {.repository = repository,
          .pack = pack,
          .ordinal = trailer.blobs,
          .offset = trailer.directory_offset,
          .type = 0xff,
          .encoding = 0,
          .stored_bytes = trailer.directory_bytes,
          .plain_bytes = trailer.directory_bytes - static_cast<std::uint32_t>(kTagBytes),
          .id = ChunkId::from_view(pack.view()),
          .base = {blake2b_256({}, header)}};
}

Bytes encode_trailer_start(const PackTrailer& trailer) {
  Encoder out;
  out.raw(as_bytes(kPackEndMagic));
  out.u64(trailer.directory_offset);
  out.u32(trailer.directory_bytes);
  out.u32(trailer.blobs);
  return out.take();
}

Result<PackTrailer> decode_trailer(ByteView trailer, std::uint64_t file_bytes) {
  Decoder in(trailer, "pack trailer");
  PV_TRY_ASSIGN(const ByteView magic, in.raw(kPackEndMagic.size()));
  if (as_text(magic) != kPackEndMagic) return in.corrupt("not a pack's end");
  PackTrailer out;
  PV_TRY_ASSIGN(out.directory_offset, in.u64());
  PV_TRY_ASSIGN(out.directory_bytes, in.u32());
  PV_TRY_ASSIGN(out.blobs, in.u32());
  PV_TRY_ASSIGN(out.checksum, in.u64());
  PV_TRY(in.finish());
  if (out.blobs < 1 || out.blobs > kPackBlobsMax) return in.corrupt("number of blobs");
  const std::uint64_t directory_max = kTagBytes + out.blobs * kBlobEntryBytesMax;
  const std::uint64_t directory_min = kTagBytes + out.blobs * kBlobEntryBytesMin;
  if (out.directory_bytes < directory_min || out.directory_bytes > directory_max) {
    return in.corrupt("length of the directory");
  }
  if (out.directory_offset < kPackHeaderBytes || out.directory_offset > file_bytes) {
    return in.corrupt("offset of the directory");
  }
  const std::uint64_t unpadded = out.directory_offset + out.directory_bytes + kPackTrailerBytes;
  if (padme(unpadded) != file_bytes) {
    return in.corrupt(fmt::format("file has {} bytes, expected {}", file_bytes, padme(unpadded)));
  }
  return out;
}

}  // namespace pagevault::repo
