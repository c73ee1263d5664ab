#include "pagevault/repo/sealed_object.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>

#include "pagevault/base/codec.h"

namespace pagevault::repo {

namespace {

// Offsets: docs/format.md, 3.
constexpr std::string_view kMagic = "PVOBJECT";
constexpr std::size_t kHeaderBytes = 88;
constexpr std::size_t kChecksumBytes = 8;
constexpr std::uint64_t kBodyCounter = 0;

static_assert(kSealedObjectOverhead == kHeaderBytes + kTagBytes + kChecksumBytes);

struct Header {
  ObjectType type;
  Cipher cipher;
  ByteView salt;
  ByteView commitment;
  std::uint64_t body_bytes = 0;
};

Bytes encode_header(ObjectType type, ByteView salt, const Aead& aead, std::size_t body_bytes) {
  Encoder out;
  out.raw(as_bytes(kMagic));
  out.u16(kFormatVersion);
  out.u8(static_cast<std::uint8_t>(type));
  out.u8(static_cast<std::uint8_t>(aead.cipher()));
  out.u32(0);
  out.raw(salt);
  out.raw(aead.commitment());
  out.u64(body_bytes);
  PV_CHECK(out.size() == kHeaderBytes);
  return out.take();
}

Error unsupported(std::string_view what, std::uint64_t value) {
  return {ErrorCode::Unsupported, fmt::format("object: {} {} is not supported", what, value)};
}

/// Magic and checksum were verified before.
Result<Header> decode_header(ByteView object) {
  Decoder in(object, "object");
  Header header{};
  PV_TRY(in.raw(kMagic.size()));
  PV_TRY_ASSIGN(const std::uint16_t version, in.u16());
  if (version != kFormatVersion) return unsupported("version", version);
  PV_TRY_ASSIGN(const std::uint8_t type, in.u8());
  header.type = static_cast<ObjectType>(type);  // Compared with the place, never trusted.
  PV_TRY_ASSIGN(const std::uint8_t cipher, in.u8());
  PV_TRY_ASSIGN(header.cipher, cipher_from_byte(cipher).context("object"));
  PV_TRY_ASSIGN(const std::uint32_t flags, in.u32());
  if (flags != 0) return unsupported("flags", flags);
  PV_TRY_ASSIGN(header.salt, in.raw(kSaltBytes));
  PV_TRY_ASSIGN(header.commitment, in.raw(sizeof(Commitment)));
  PV_TRY_ASSIGN(header.body_bytes, in.u64());
  if (header.body_bytes > kSealedBodyBytesMax) return in.corrupt("body is too long");
  if (object.size() != header.body_bytes + kSealedObjectOverhead) {
    return in.corrupt("length does not fit the body's");
  }
  return header;
}

Bytes associated_data(const ObjectPlace& place, ByteView header) {
  Encoder out;
  out.raw(place.repository.view());
  out.raw(place.id);
  out.raw(header);
  return out.take();
}

}  // namespace

Bytes seal_object(Env& env, const KeySet& keys, const ObjectPlace& place, ByteView body,
                  Cipher cipher) {
  PV_CHECK(body.size() <= kSealedBodyBytesMax);
  std::array<std::byte, kSaltBytes> salt;
  env.random(salt);
  const Aead aead = keys.object_aead(place.type, cipher, salt);
  Bytes object = encode_header(place.type, salt, aead, body.size());
  const Bytes associated = associated_data(place, object);
  object.resize(body.size() + kSealedObjectOverhead);
  const MutableBytes all(object);
  aead.seal(kBodyCounter, body, associated, all.subspan(kHeaderBytes, body.size() + kTagBytes));
  store_le64(all.last(kChecksumBytes), object_checksum(all.first(all.size() - kChecksumBytes)));
  return object;
}

Result<Bytes> open_object(const KeySet& keys, const ObjectPlace& place, ByteView object) {
  if (object.size() < kSealedObjectOverhead) {
    return Error(ErrorCode::Corrupt, fmt::format("object: only {} bytes", object.size()));
  }
  if (!std::ranges::equal(object.first(kMagic.size()), as_bytes(kMagic))) {
    return Error(ErrorCode::Corrupt, "object: not a sealed object");
  }
  PV_TRY(verify_checksum(object).context("object"));
  PV_TRY_ASSIGN(const Header header, decode_header(object));
  if (header.type != place.type) {
    return Error(ErrorCode::AuthFailed, "object: of another type than its place");
  }
  const Aead aead = keys.object_aead(header.type, header.cipher, header.salt);
  if (!equal_constant_time(aead.commitment(), header.commitment)) {
    return Error(ErrorCode::AuthFailed, "object: sealed with another repository's key");
  }
  const Bytes associated = associated_data(place, object.first(kHeaderBytes));
  Bytes body(header.body_bytes);
  PV_TRY(aead.open(kBodyCounter, object.subspan(kHeaderBytes, body.size() + kTagBytes), associated,
                   body)
             .context("object"));
  return body;
}

std::uint64_t object_checksum(ByteView content) {
  return XXH3_64bits(content.data(), content.size());
}

Status verify_checksum(ByteView object) {
  if (object.size() < kChecksumBytes) {
    return Error(ErrorCode::Corrupt, "shorter than its checksum");
  }
  const std::size_t length = object.size() - kChecksumBytes;
  if (load_le64(object.subspan(length)) == object_checksum(object.first(length))) return ok();
  return Error(ErrorCode::Corrupt, "checksum mismatch");
}

}  // namespace pagevault::repo
