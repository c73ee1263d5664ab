// The envelope of objects and the ciphers below it: docs/format.md, sections 2 and 3.
// covers S1, S2, S6, S15, F5.1, F5.2, F5.3, F9.2

#include "pagevault/repo/sealed_object.h"

#include <gtest/gtest.h>

#include <array>

#include "golden_bytes.h"
#include "key_samples.h"
#include "pagevault/base/sim_env.h"
#include "pagevault/repo/config.h"
#include "pagevault/repo/session_object.h"

namespace pagevault::repo {

namespace {

// Where fields of an object are.
constexpr std::size_t kVersionAt = 8;
constexpr std::size_t kTypeAt = 10;
constexpr std::size_t kCipherAt = 11;
constexpr std::size_t kFlagsAt = 12;
constexpr std::size_t kLengthAt = 80;

const ObjectPlace kPlace{.type = ObjectType::Session,
                         .repository = id_of<RepositoryId>(0x77),
                         .id = id_of<SessionId>(0x66).bytes};
constexpr std::string_view kBody = "the body of some object";

Bytes seal(ByteView body, Cipher cipher = preferred_cipher()) {
  SimEnv env;
  return seal_object(env, golden_keys(), kPlace, body, cipher);
}

/// The code of the error, or nothing when the object opened.
std::optional<ErrorCode> verdict(ByteView object, const ObjectPlace& place = kPlace) {
  const auto body = open_object(golden_keys(), place, object);
  if (body) return std::nullopt;
  return body.error().code();
}

std::optional<ErrorCode> verdict_with_byte(std::size_t at, int value) {
  Bytes object = seal(as_bytes(kBody));
  object[at] = static_cast<std::byte>(value);
  return verdict(with_checksum(std::move(object)));
}

class SealedObjectOfCipher : public testing::TestWithParam<Cipher> {};

constexpr std::array kCiphers = {Cipher::Aes256Gcm, Cipher::XChaCha20Poly1305};

INSTANTIATE_TEST_SUITE_P(EachCipher, SealedObjectOfCipher, testing::ValuesIn(kCiphers));

TEST_P(SealedObjectOfCipher, BodiesOfAllShortLengthsComeBack) {
  Bytes body;
  for (int i = 0; i < 300; ++i) {
    const Bytes object = seal(body, GetParam());
    EXPECT_EQ(object.size(), body.size() + kSealedObjectOverhead);
    const auto opened = open_object(golden_keys(), kPlace, object);
    ASSERT_TRUE(opened) << opened.error().message();
    EXPECT_EQ(*opened, body);
    body.push_back(static_cast<std::byte>(i));
  }
}

TEST_P(SealedObjectOfCipher, EveryFlippedBitIsCorrupt) {
  const Bytes object = seal(as_bytes(kBody), GetParam());
  for (std::size_t bit = 0; bit < 8 * object.size(); ++bit) {
    EXPECT_EQ(verdict(with_bit_flipped(object, bit)), ErrorCode::Corrupt) << "bit " << bit;
  }
}

TEST_P(SealedObjectOfCipher, EveryFlippedBitIsRefusedAlsoWithAChecksumThatFits) {
  const Bytes object = seal(as_bytes(kBody), GetParam());
  for (std::size_t bit = 0; bit < 8 * (object.size() - 8); ++bit) {
    EXPECT_TRUE(verdict(with_checksum(with_bit_flipped(object, bit)))) << "bit " << bit;
  }
}

TEST_P(SealedObjectOfCipher, AeadWorksInPlaceAndClearsWhatItRefuses) {
  const Aead aead(GetParam(), filled_secret(9));
  const ByteView associated = as_bytes("associated");
  Bytes plain(70'000, std::byte{0x33});
  Bytes buffer = plain;
  buffer.resize(plain.size() + kTagBytes);
  aead.seal(7, ByteView(buffer).first(plain.size()), associated, buffer);
  Bytes apart(buffer.size());
  aead.seal(7, plain, associated, apart);
  EXPECT_EQ(buffer, apart);

  Bytes refused(plain.size(), std::byte{1});
  EXPECT_FALSE(aead.open(8, buffer, associated, refused));
  EXPECT_TRUE(is_all_zero(refused));
  EXPECT_FALSE(aead.open(7, buffer, as_bytes("associatee"), refused));
  EXPECT_FALSE(aead.open(7, ByteView(buffer).first(15), associated, {}));

  ASSERT_TRUE(aead.open(7, buffer, associated, MutableBytes(buffer).first(plain.size())));
  buffer.resize(plain.size());
  EXPECT_EQ(buffer, plain);
}

TEST(SealedObject, GoldenObjectsOfBothCiphersOpen) {
  const ObjectPlace config_place{.type = ObjectType::Config, .repository = {}, .id = {}};
  for (const std::string name : {"config_aes256gcm", "config_xchacha20poly1305"}) {
    const auto body =
        open_object(golden_keys(), config_place, golden_bytes("objects/v1/" + name + ".txt"));
    ASSERT_TRUE(body) << body.error().message();
    const auto config = decode_config(*body);
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_EQ(config->id, id_of<RepositoryId>(0x77));
    EXPECT_EQ(config->label, "golden");
    EXPECT_EQ(to_hex(encode_config(*config)), to_hex(*body));
  }
}

TEST(SealedObject, GoldenSessionOpens) {
  const auto body = open_object(golden_keys(), kPlace, golden_bytes("objects/v1/session.txt"));
  ASSERT_TRUE(body) << body.error().message();
  const auto session = decode_session(*body);
  ASSERT_TRUE(session) << session.error().message();
  EXPECT_EQ(session->session, id_of<SessionId>(0x5e));
  EXPECT_EQ(session->heartbeat, 3U);
  EXPECT_EQ(session->time_ns, -5);
  EXPECT_EQ(session->host, "db1");
  EXPECT_EQ(session->process_id, 4321U);
  EXPECT_EQ(to_hex(encode_session(*session)), to_hex(*body));
}

TEST(SealedObject, AnotherPlaceIsRefused) {
  const Bytes object = seal(as_bytes(kBody));
  ObjectPlace type = kPlace;
  type.type = ObjectType::Index;
  ObjectPlace repository = kPlace;
  repository.repository = id_of<RepositoryId>(0x78);
  ObjectPlace id = kPlace;
  id.id = id_of<SessionId>(0x67).bytes;
  EXPECT_EQ(verdict(object), std::nullopt);
  EXPECT_EQ(verdict(object, type), ErrorCode::AuthFailed);
  EXPECT_EQ(verdict(object, repository), ErrorCode::AuthFailed);
  EXPECT_EQ(verdict(object, id), ErrorCode::AuthFailed);
}

TEST(SealedObject, RelabelledAsAnotherTypeItIsRefusedThere) {
  Bytes object = seal(as_bytes(kBody));
  object[kTypeAt] = static_cast<std::byte>(ObjectType::Index);
  ObjectPlace place = kPlace;
  place.type = ObjectType::Index;
  EXPECT_EQ(verdict(with_checksum(std::move(object)), place), ErrorCode::AuthFailed);
}

TEST(SealedObject, AnotherRepositorysKeysOpenNothing) {
  const KeySet other = KeySet::derive(MasterSecret());
  const auto body = open_object(other, kPlace, seal(as_bytes(kBody)));
  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().code(), ErrorCode::AuthFailed);
}

TEST(SealedObject, WhatANewerVersionMayHaveWrittenIsUnsupported) {
  EXPECT_EQ(verdict_with_byte(kVersionAt, 2), ErrorCode::Unsupported);
  EXPECT_EQ(verdict_with_byte(kVersionAt + 1, 1), ErrorCode::Unsupported);
  EXPECT_EQ(verdict_with_byte(kCipherAt, 0), ErrorCode::Unsupported);
  EXPECT_EQ(verdict_with_byte(kCipherAt, 3), ErrorCode::Unsupported);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(verdict_with_byte(kFlagsAt + i, 0x80), ErrorCode::Unsupported) << i;
  }
}

TEST(SealedObject, AnotherLengthThanTheHeaderSaysIsCorrupt) {
  const Bytes object = seal(as_bytes(kBody));
  for (std::size_t length = 0; length < object.size(); ++length) {
    const Bytes shorter = to_bytes(ByteView(object).first(length));
    EXPECT_EQ(verdict(shorter), ErrorCode::Corrupt) << length;
    if (length < 16) continue;
    EXPECT_EQ(verdict(with_checksum(shorter)), ErrorCode::Corrupt) << length;
  }
  Bytes longer = object;
  longer.push_back(std::byte{0});
  EXPECT_EQ(verdict(with_checksum(longer)), ErrorCode::Corrupt);
}

TEST(SealedObject, LengthsThatOverflowAreCorruptBeforeAnythingIsAllocated) {
  for (const std::uint64_t claim : {kSealedBodyBytesMax + 1, ~std::uint64_t{0},
                                    ~std::uint64_t{0} - kSealedObjectOverhead + 1}) {
    Bytes object = seal(as_bytes(kBody));
    store_le64(MutableBytes(object).subspan(kLengthAt), claim);
    EXPECT_EQ(verdict(with_checksum(std::move(object))), ErrorCode::Corrupt) << claim;
  }
}

TEST(SealedObject, BodyAtTheLimitOpensAndOneByteMoreDoesNot) {
  Bytes object = seal(Bytes(kSealedBodyBytesMax));
  EXPECT_EQ(verdict(object), std::nullopt);
  object.push_back(std::byte{0});
  store_le64(MutableBytes(object).subspan(kLengthAt), kSealedBodyBytesMax + 1);
  EXPECT_EQ(verdict(with_checksum(std::move(object))), ErrorCode::Corrupt);
}

TEST(SealedObject, SealedTwiceItHasAnotherSaltAndAnotherKey) {
  SimEnv env;
  const Bytes a = seal_object(env, golden_keys(), kPlace, as_bytes(kBody));
  const Bytes b = seal_object(env, golden_keys(), kPlace, as_bytes(kBody));
  EXPECT_NE(to_hex(ByteView(a).subspan(16, 32)), to_hex(ByteView(b).subspan(16, 32)));
  EXPECT_NE(to_hex(ByteView(a).subspan(48, 32)), to_hex(ByteView(b).subspan(48, 32)));
}

TEST(SealedObject, ChecksumCanBeVerifiedWithoutAKey) {
  const Bytes object = seal(as_bytes(kBody));
  EXPECT_TRUE(verify_checksum(object));
  EXPECT_FALSE(verify_checksum(with_bit_flipped(object, 700)));
  EXPECT_FALSE(verify_checksum(ByteView(object).first(7)));
}

}  // namespace

}  // namespace pagevault::repo
