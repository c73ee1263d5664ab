// Key derivation and key slots: docs/format.md, section 2.
// covers S6, S7, S11, S13, F7.1, F7.2, F7.3, F9.2

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <type_traits>

#include "golden_bytes.h"
#include "key_samples.h"
#include "pagevault/base/sim_env.h"

namespace pagevault::repo {

namespace {

static_assert(!std::is_copy_constructible_v<MasterSecret>);
static_assert(!std::is_copy_constructible_v<KeySet>);
static_assert(!std::is_convertible_v<chunker::DataIdKey, chunker::MetaIdKey>);
static_assert(!std::is_convertible_v<SnapshotIdKey, MasterSecret>);

const KeySlotId kSlotId = id_of<KeySlotId>(0x1d);
constexpr Argon2Cost kCheap{.passes = 1, .memory_bytes = 8 * kMiB};

// Where fields of a slot are.
constexpr std::size_t kVersionAt = 8;
constexpr std::size_t kKindAt = 10;
constexpr std::size_t kCipherAt = 11;
constexpr std::size_t kFlagsAt = 12;
constexpr std::size_t kKdfAt = 16;
constexpr std::size_t kPassesAt = 20;
constexpr std::size_t kMemoryAt = 24;

Bytes make_slot(const Credential& credential, const KeySlotLabel& label = {}) {
  SimEnv env;
  return make_key_slot(env, kSlotId, credential, golden_master(), label, kCheap).value();
}

/// The code of the error, or nothing when the slot opened.
std::optional<ErrorCode> verdict(ByteView slot, const Credential& credential) {
  const auto opened = open_key_slot(kSlotId, slot, credential);
  if (opened) return std::nullopt;
  return opened.error().code();
}

Bytes with_byte(Bytes slot, std::size_t at, int value) {
  slot[at] = static_cast<std::byte>(value);
  return with_checksum(std::move(slot));
}

Bytes with_cost(Bytes slot, std::uint32_t passes, std::uint64_t memory) {
  store_le32(MutableBytes(slot).subspan(kPassesAt), passes);
  store_le64(MutableBytes(slot).subspan(kMemoryAt), memory);
  return with_checksum(std::move(slot));
}

TEST(Keys, AreDerivedAsTheGoldenFileSays) {
  const KeySet& keys = golden_keys();
  const PackId salt = id_of<PackId>(0x5a);
  Bytes all;
  for (const ByteView key :
       {keys.data_id().expose(), keys.meta_id().expose(), keys.snapshot_id().expose(),
        keys.gate().expose(), keys.cut().expose()}) {
    append(all, key);
  }
  for (const auto content : {PackContent::Data, PackContent::Metadata}) {
    append(all, keys.pack_aead(content, Cipher::XChaCha20Poly1305, salt).commitment());
  }
  for (int type = 1; type <= 7; ++type) {
    append(all,
           keys.object_aead(static_cast<ObjectType>(type), Cipher::XChaCha20Poly1305, salt.view())
               .commitment());
  }
  append(all, keys.signer_public());
  EXPECT_EQ(to_hex(all), to_hex(golden_bytes("keys/v1/derivation.txt")));
}

TEST(Keys, SignatureFitsItsMessageAndNoOther) {
  const KeySet& keys = golden_keys();
  const auto signature = keys.sign(as_bytes("message"));
  EXPECT_TRUE(verify_signature(as_bytes("message"), signature, keys.signer_public()));
  EXPECT_FALSE(verify_signature(as_bytes("massage"), signature, keys.signer_public()));
  EXPECT_FALSE(
      verify_signature(as_bytes("message"), ByteView(signature).first(63), keys.signer_public()));
  const KeySet other = KeySet::derive(MasterSecret());
  EXPECT_FALSE(verify_signature(as_bytes("message"), signature, other.signer_public()));
}

TEST(Keys, DataAndMetadataOfTheSameBytesHaveDifferentIds) {
  const ByteView plain = as_bytes("the same bytes");
  const KeySet& keys = golden_keys();
  EXPECT_NE(keys.chunk_id(BlobType::Data, plain), keys.chunk_id(BlobType::Metadata, plain));
  EXPECT_EQ(keys.chunk_id(BlobType::Data, plain), keys.chunk_id(BlobType::Dictionary, plain));
}

void expect_golden_content(const Result<OpenedSlot>& opened) {
  ASSERT_TRUE(opened) << opened.error().message();
  EXPECT_EQ(to_hex(opened->master.expose()), to_hex(golden_master().expose()));
  EXPECT_EQ(opened->label.label, "laptop");
  EXPECT_EQ(opened->label.host, "db1");
  EXPECT_EQ(opened->label.created_ns, 1'700'000'000'000'000'000);
}

TEST(KeySlot, GoldenSlotOfAKeyFileOpens) {
  expect_golden_content(
      open_key_slot(kSlotId, golden_bytes("keys/v1/slot_key_file.txt"), golden_key_file()));
}

TEST(KeySlot, GoldenSlotOfAPassphraseOpens) {
  expect_golden_content(
      open_key_slot(kSlotId, golden_bytes("keys/v1/slot_passphrase.txt"), golden_passphrase()));
}

TEST(KeySlot, RoleOfANewerVersionIsRefused) {
  const Bytes slot = golden_bytes("keys/v1/slot_unknown_role.txt");
  EXPECT_EQ(verdict(slot, golden_key_file()), ErrorCode::Unsupported);
}

TEST(KeySlot, NewSlotsOfBothKindsGiveBackMasterSecretAndLabel) {
  const KeySlotLabel label{
      .label = "laptop", .host = "db1", .created_ns = 1'700'000'000'000'000'000};
  expect_golden_content(
      open_key_slot(kSlotId, make_slot(golden_key_file(), label), golden_key_file()));
  expect_golden_content(
      open_key_slot(kSlotId, make_slot(golden_passphrase(), label), golden_passphrase()));
}

TEST(KeySlot, SaysItsKindAndCostWithoutACredential) {
  const auto file = describe_key_slot(make_slot(golden_key_file()));
  ASSERT_TRUE(file);
  EXPECT_EQ(file->kind, KeySlotKind::KeyFile);
  EXPECT_EQ(file->cost.passes, 0U);
  const Bytes slot = make_slot(golden_passphrase());
  EXPECT_EQ(key_slot_kind(slot).value(), KeySlotKind::Passphrase);
  EXPECT_EQ(describe_key_slot(slot)->cost.passes, kCheap.passes);
  EXPECT_EQ(describe_key_slot(slot)->cost.memory_bytes, kCheap.memory_bytes);
}

TEST(KeySlot, WrongCredentialIsAWrongKey) {
  const Bytes by_passphrase = make_slot(golden_passphrase());
  const Bytes by_file = make_slot(golden_key_file());
  EXPECT_EQ(verdict(by_passphrase, passphrase("correct horse battery")), ErrorCode::WrongKey);
  EXPECT_EQ(verdict(by_passphrase, golden_key_file()), ErrorCode::WrongKey);
  EXPECT_EQ(verdict(by_file, key_file(0xc2)), ErrorCode::WrongKey);
  EXPECT_EQ(verdict(by_file, golden_passphrase()), ErrorCode::WrongKey);
}

TEST(KeySlot, EveryFlippedBitIsCorrupt) {
  const Bytes slot = make_slot(golden_key_file());
  ASSERT_EQ(slot.size(), kKeySlotBytes);
  for (std::size_t bit = 0; bit < 8 * slot.size(); ++bit) {
    EXPECT_EQ(verdict(with_bit_flipped(slot, bit), golden_key_file()), ErrorCode::Corrupt)
        << "bit " << bit;
  }
}

TEST(KeySlot, EveryFlippedBitIsRefusedAlsoWithAChecksumThatFits) {
  const Bytes slot = make_slot(golden_key_file());
  std::map<std::string_view, int> refused;
  for (std::size_t bit = 0; bit < 8 * (slot.size() - 8); ++bit) {
    const auto code = verdict(with_checksum(with_bit_flipped(slot, bit)), golden_key_file());
    ASSERT_TRUE(code.has_value()) << "bit " << bit;
    ++refused[to_string(*code)];
  }
  // Salt and commitment: another key; nonce and payload: authentication.
  EXPECT_GE(refused["WrongKey"], 2 * 32 * 8);
  EXPECT_GE(refused["AuthFailed"], (24 + 256 + 16) * 8);
}

TEST(KeySlot, EveryOtherLengthIsCorrupt) {
  Bytes slot = make_slot(golden_key_file());
  for (std::size_t length = 0; length < slot.size(); ++length) {
    const Bytes shorter = to_bytes(ByteView(slot).first(length));
    EXPECT_EQ(verdict(shorter, golden_key_file()), ErrorCode::Corrupt) << length;
    if (length < 24) continue;  // The checksum would stand where the version is.
    EXPECT_EQ(verdict(with_checksum(shorter), golden_key_file()), ErrorCode::Corrupt) << length;
  }
  for (const std::size_t length : {std::size_t{485}, kKeySlotBytesMax, kKeySlotBytesMax + 1}) {
    slot.resize(length);
    EXPECT_EQ(verdict(with_checksum(slot), golden_key_file()), ErrorCode::Corrupt) << length;
  }
}

TEST(KeySlot, UnderAnotherIdItDoesNotOpen) {
  const Bytes slot = make_slot(golden_key_file());
  const auto opened = open_key_slot(id_of<KeySlotId>(0x1e), slot, golden_key_file());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::AuthFailed);
}

TEST(KeySlot, WhatANewerVersionMayHaveWrittenIsUnsupported) {
  const Bytes slot = make_slot(golden_key_file());
  const auto refused = [&](std::size_t at, int value) {
    return verdict(with_byte(slot, at, value), golden_key_file());
  };
  EXPECT_EQ(refused(kVersionAt, 2), ErrorCode::Unsupported);
  EXPECT_EQ(refused(kKindAt, 0), ErrorCode::Unsupported);
  EXPECT_EQ(refused(kKindAt, 4), ErrorCode::Unsupported);
  EXPECT_EQ(refused(kCipherAt, 1), ErrorCode::Unsupported);
  EXPECT_EQ(refused(kFlagsAt, 1), ErrorCode::Unsupported);
  EXPECT_EQ(refused(kKdfAt, 1), ErrorCode::Unsupported);
}

// With 2^32 - 1 passes this test would never end if the KDF ran before its cost was looked at.
TEST(KeySlot, CostOutsideTheBoundsIsRefusedBeforeTheKdfRuns) {
  const Bytes slot = make_slot(golden_passphrase());
  constexpr std::uint32_t kPassesHuge = std::numeric_limits<std::uint32_t>::max();
  constexpr std::uint64_t kMemoryHuge = std::numeric_limits<std::uint64_t>::max();
  const std::pair<std::uint32_t, std::uint64_t> costs[] = {
      {0, 8 * kMiB},     {65, 8 * kMiB},    {kPassesHuge, 8 * kMiB}, {1, 0},
      {1, 8 * kMiB - 1}, {1, 2 * kGiB + 1}, {1, kMemoryHuge},        {kPassesHuge, kMemoryHuge},
  };
  for (const auto& [passes, memory] : costs) {
    const Bytes hostile = with_cost(slot, passes, memory);
    EXPECT_EQ(verdict(hostile, golden_passphrase()), ErrorCode::Corrupt) << passes << " " << memory;
    EXPECT_FALSE(describe_key_slot(hostile)) << passes << " " << memory;
  }
}

TEST(KeySlot, CostAtTheBoundsIsReadable) {
  const Bytes slot = make_slot(golden_passphrase());
  EXPECT_TRUE(describe_key_slot(with_cost(slot, 1, 8 * kMiB)));
  EXPECT_TRUE(describe_key_slot(with_cost(slot, 64, 2 * kGiB)));
}

TEST(KeySlot, WeakerCostThanTheSlotWasMadeWithOpensNothing) {
  SimEnv env;
  const Argon2Cost cost{.passes = 2, .memory_bytes = 8 * kMiB};
  const Bytes slot =
      make_key_slot(env, kSlotId, golden_passphrase(), golden_master(), {}, cost).value();
  EXPECT_EQ(verdict(with_cost(slot, 1, 8 * kMiB), golden_passphrase()), ErrorCode::WrongKey);
}

TEST(KeySlot, RequestsThatCannotBeMetAreInvalid) {
  SimEnv env;
  const auto code = [&](const Credential& credential, const KeySlotLabel& label, Argon2Cost cost) {
    const auto slot = make_key_slot(env, kSlotId, credential, golden_master(), label, cost);
    return slot ? std::nullopt : std::optional(slot.error().code());
  };
  const std::string longest(kKeySlotTextBytesMax, 'x');
  EXPECT_EQ(code(passphrase(""), {}, kCheap), ErrorCode::InvalidArgument);
  EXPECT_EQ(code(golden_passphrase(), {}, {.passes = 0}), ErrorCode::InvalidArgument);
  EXPECT_EQ(code(golden_passphrase(), {}, {.passes = 65}), ErrorCode::InvalidArgument);
  EXPECT_EQ(code(golden_passphrase(), {}, {.memory_bytes = kMiB}), ErrorCode::InvalidArgument);
  EXPECT_EQ(code(golden_key_file(), {.label = longest + "x"}, kCheap), ErrorCode::InvalidArgument);
  EXPECT_EQ(code(golden_key_file(), {.host = longest + "x"}, kCheap), ErrorCode::InvalidArgument);
  EXPECT_EQ(code(KeyFileSecret{SecretBytes(31)}, {}, kCheap), ErrorCode::InvalidArgument);
  EXPECT_EQ(code(golden_key_file(), {.label = longest, .host = longest}, kCheap), std::nullopt);
}

TEST(KeySlot, LongestLabelAndHostComeBack) {
  const std::string longest(kKeySlotTextBytesMax, 'x');
  const Bytes slot = make_slot(golden_key_file(), {.label = longest, .host = longest});
  const auto opened = open_key_slot(kSlotId, slot, golden_key_file());
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->label.label, longest);
  EXPECT_EQ(opened->label.host, longest);
}

TEST(KeySlot, TwoSlotsOfOneCredentialShareNoSaltAndNoNonce) {
  SimEnv env;
  const auto slot = [&] {
    return make_key_slot(env, kSlotId, golden_key_file(), golden_master(), {}, kCheap).value();
  };
  const Bytes a = slot();
  const Bytes b = slot();
  EXPECT_NE(to_hex(ByteView(a).subspan(32, 32)), to_hex(ByteView(b).subspan(32, 32)));
  EXPECT_NE(to_hex(ByteView(a).subspan(64, 24)), to_hex(ByteView(b).subspan(64, 24)));
}

}  // namespace

}  // namespace pagevault::repo
