#include "pagevault/repo/pack_reader.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <limits>

#include "pack_layout.h"

namespace pagevault::repo {

namespace {

/// Read with the trailer: holds the directory of a pack of some 900 chunks, so that most packs
/// take one round trip.
constexpr std::uint64_t kTailBytes = 64 * kKiB;

Result<PackInfo> decode_header_fields(Decoder& in) {
  PV_TRY_ASSIGN(const ByteView magic, in.raw(kPackMagic.size()));
  if (!std::ranges::equal(magic, std::as_bytes(std::span(kPackMagic)))) {
    return in.corrupt("not a pack");
  }
  PV_TRY_ASSIGN(const std::uint16_t version, in.u16());
  PV_TRY_ASSIGN(const std::uint8_t content, in.u8());
  PV_TRY_ASSIGN(const std::uint8_t cipher, in.u8());
  PV_TRY_ASSIGN(const std::uint8_t key_mode, in.u8());
  const auto unsupported = [](std::string_view what, unsigned value) {
    return Error(ErrorCode::Unsupported, fmt::format("pack header: {} {}", what, value));
  };
  if (version != kFormatVersion) return unsupported("version", version);
  if (content < 1 || content > 2) return unsupported("content", content);
  if (key_mode != 1) return unsupported("key mode", key_mode);
  PackInfo info;
  info.content = static_cast<PackContent>(content);
  PV_TRY_ASSIGN(info.cipher, cipher_from_byte(cipher));
  return info;
}

/// Decodes the directory; `sealed` are its bytes and `header` the pack's 160.
Result<std::vector<BlobEntry>> open_directory(const Aead& aead, const RepositoryId& repository,
                                              const PackInfo& info, ByteView header,
                                              const PackTrailer& trailer, ByteView sealed) {
  const auto binding = directory_binding(repository, info.id, header, trailer);
  Bytes plain(sealed.size() - kTagBytes);
  PV_TRY(aead.open(trailer.blobs, sealed, binding.bytes(), plain).context("pack directory"));
  Decoder in(plain, "pack directory");
  PV_TRY_ASSIGN(auto blobs, decode_blob_entries(in, trailer.blobs, info.content));
  PV_TRY(in.finish());
  std::uint64_t end = kPackHeaderBytes;
  for (const BlobEntry& blob : blobs) end += blob.stored_bytes;
  if (end != trailer.directory_offset) return in.corrupt("blobs do not end at the directory");
  return blobs;
}

Status check_file_bytes(std::uint64_t bytes) {
  if (bytes >= kPackBytesMin && bytes <= kPackBytesMax) return ok();
  return Error(ErrorCode::Corrupt, fmt::format("file of {} bytes is no pack", bytes));
}

Result<PackDirectory> read_directory(Store& store, const KeySet& keys,
                                     const RepositoryId& repository, const PackId& id) {
  const ObjectName name{ObjectType::Pack, id.hex()};
  PV_TRY_ASSIGN(const ObjectInfo object, store.stat(name));
  PV_TRY(check_file_bytes(object.bytes));
  Bytes header(kPackHeaderBytes);
  Bytes tail(std::min(kTailBytes, object.bytes));
  std::array<RangeRead, 2> reads{
      {{name, 0, header, {}}, {name, object.bytes - tail.size(), tail, {}}}};
  store.read_ranges(reads);
  for (const RangeRead& read : reads) PV_TRY(read.status);

  PackDirectory pack;
  PV_TRY_ASSIGN(const Aead aead, open_pack_header(keys, id, header, pack.info));
  pack.info.file_bytes = object.bytes;
  const ByteView tail_view(tail);
  PV_TRY_ASSIGN(const PackTrailer trailer,
                decode_trailer(tail_view.last(kPackTrailerBytes), object.bytes));
  const std::uint64_t tail_offset = object.bytes - tail.size();
  Bytes directory(trailer.directory_bytes);
  if (trailer.directory_offset >= tail_offset) {
    const auto from = tail_view.subspan(trailer.directory_offset - tail_offset, directory.size());
    copy_bytes(from, directory);
  } else {
    std::array<RangeRead, 1> read{{{name, trailer.directory_offset, directory, {}}}};
    store.read_ranges(read);
    PV_TRY(read[0].status);
  }
  PV_TRY_ASSIGN(pack.blobs,
                open_directory(aead, repository, pack.info, header, trailer, directory));
  return pack;
}

Result<PackDirectory> parse(const KeySet& keys, const RepositoryId& repository, const PackId& id,
                            ByteView pack) {
  PV_TRY(check_file_bytes(pack.size()));
  PV_TRY_ASSIGN(const PackTrailer trailer,
                decode_trailer(pack.last(kPackTrailerBytes), pack.size()));
  if (XXH3_64bits(pack.data(), pack.size() - sizeof trailer.checksum) != trailer.checksum) {
    return Error(ErrorCode::Corrupt, "checksum differs");
  }
  const ByteView header = pack.first(kPackHeaderBytes);
  PackDirectory out;
  PV_TRY_ASSIGN(const Aead aead, open_pack_header(keys, id, header, out.info));
  out.info.file_bytes = pack.size();
  const ByteView directory = pack.subspan(trailer.directory_offset, trailer.directory_bytes);
  const std::uint64_t padding = trailer.directory_offset + trailer.directory_bytes;
  if (!is_all_zero(pack.subspan(padding, pack.size() - kPackTrailerBytes - padding))) {
    return Error(ErrorCode::Corrupt, "padding is not zero");
  }
  PV_TRY_ASSIGN(out.blobs, open_directory(aead, repository, out.info, header, trailer, directory));
  return out;
}

std::string context_of(const PackId& id) { return "pack " + id.hex(12); }

}  // namespace

Result<Aead> open_pack_header(const KeySet& keys, const PackId& id, ByteView header,
                              PackInfo& info) {
  Decoder in(header, "pack header");
  PV_TRY_ASSIGN(info, decode_header_fields(in));
  PV_TRY_ASSIGN(const ByteView reserved, in.raw(3));
  PV_TRY_ASSIGN(info.id.bytes, in.array<32>());
  PV_TRY_ASSIGN(const Commitment commitment, in.array<32>());
  PV_TRY_ASSIGN(const ByteView sealed_key, in.raw(kPackHeaderBytes - kPackSealedKeyOffset));
  PV_TRY(in.finish());
  if (!is_all_zero(reserved)) return in.corrupt("reserved bytes are not zero");
  if (!is_all_zero(sealed_key)) return in.corrupt("a sealed key in a pack of derived keys");
  if (info.id != id) {
    return Error(ErrorCode::AuthFailed, "pack header: belongs to pack " + info.id.hex(12));
  }
  Aead aead = keys.pack_aead(info.content, info.cipher, id);
  if (!equal_constant_time(commitment, aead.commitment())) {
    return Error(ErrorCode::AuthFailed, "pack header: key commitment differs");
  }
  return aead;
}

Status unseal_blob(const Aead& aead, const RepositoryId& repository, const BlobLocation& where,
                   ByteView sealed, MutableBytes out) {
  if (sealed.size() != where.entry.stored_bytes || sealed.size() != out.size() + kTagBytes) {
    return Error(ErrorCode::Corrupt, "blob: length differs from the index");
  }
  const auto binding = blob_binding(repository, where);
  return aead.open(where.ordinal, sealed, binding.bytes(), out);
}

Result<PackDirectory> read_pack_directory(Store& store, const KeySet& keys,
                                          const RepositoryId& repository, const PackId& id) {
  return read_directory(store, keys, repository, id).context(context_of(id));
}

Result<PackDirectory> parse_pack(const KeySet& keys, const RepositoryId& repository,
                                 const PackId& id, ByteView pack) {
  return parse(keys, repository, id, pack).context(context_of(id));
}

void for_each_blob(const PackDirectory& pack,
                   const std::function<void(const BlobLocation&)>& visit) {
  BlobLocation where;
  where.pack = pack.info;
  where.offset = kPackHeaderBytes;
  for (const BlobEntry& blob : pack.blobs) {
    where.entry = blob;
    visit(where);
    ++where.ordinal;
    where.offset += blob.stored_bytes;
  }
}

}  // namespace pagevault::repo
