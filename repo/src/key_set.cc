#include "pagevault/repo/key_set.h"

#include <sodium.h>

#include "sodium_bytes.h"

namespace pagevault::repo {

namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kGatePartBytes = 64;  // The most one derivation gives.
constexpr std::size_t kObjectTypes = 7;
constexpr std::string_view kPackKeyLabel = "pagevault pack key v1";
constexpr std::string_view kObjectKeyLabel = "pagevault object key v1";

static_assert(crypto_kdf_KEYBYTES == MasterSecret::kBytes);
static_assert(crypto_kdf_BYTES_MAX == kGatePartBytes);
static_assert(chunker::GateKey::kBytes == 3 * kGatePartBytes);

/// Row of the table in docs/format.md, 2; fills `out`.
void derive_into(MutableBytes out, const MasterSecret& master, std::string_view context,
                 std::uint64_t subkey) {
  PV_CHECK(context.size() == crypto_kdf_CONTEXTBYTES);
  PV_CHECK(crypto_kdf_derive_from_key(sodium_out(out), out.size(), subkey, context.data(),
                                      sodium_in(master.expose())) == 0);
}

SecretBytes derive_key(const MasterSecret& master, std::string_view context, std::uint64_t subkey) {
  SecretBytes out(kKeyBytes);
  derive_into(out.expose_mutable(), master, context, subkey);
  return out;
}

chunker::GateKey derive_gate(const MasterSecret& master) {
  SecretBytes secret(chunker::GateKey::kBytes);
  for (std::size_t part = 0; part < 3; ++part) {
    derive_into(secret.expose_mutable().subspan(part * kGatePartBytes, kGatePartBytes), master,
                "pv_gate_", part + 1);
  }
  return chunker::GateKey(std::move(secret));
}

SecretBytes derive_object_keys(const MasterSecret& master) {
  SecretBytes keys(kObjectTypes * kKeyBytes);
  for (std::size_t type = 1; type <= kObjectTypes; ++type) {
    derive_into(keys.expose_mutable().subspan((type - 1) * kKeyBytes, kKeyBytes), master,
                "pv_objs_", type);
  }
  return keys;
}

}  // namespace

KeySet::KeySet(MasterSecret master)
    : master_(std::move(master)),
      data_id_(derive_key(master_, "pv_ids__", 1)),
      meta_id_(derive_key(master_, "pv_ids__", 2)),
      snapshot_id_(derive_key(master_, "pv_ids__", 3)),
      gate_(derive_gate(master_)),
      cut_(derive_key(master_, "pv_cuts_", 1)),
      data_pack_(derive_key(master_, "pv_pack_", 1)),
      meta_pack_(derive_key(master_, "pv_pack_", 2)),
      object_keys_(derive_object_keys(master_)),
      sign_secret_(crypto_sign_SECRETKEYBYTES) {
  const SecretBytes seed = derive_key(master_, "pv_sign_", 1);
  PV_CHECK(crypto_sign_seed_keypair(sodium_out(sign_public_),
                                    sodium_out(sign_secret_.expose_mutable()),
                                    sodium_in(seed.expose())) == 0);
}

ChunkId KeySet::chunk_id(BlobType type, ByteView plain) const {
  return type == BlobType::Metadata ? chunker::chunk_id(meta_id_, plain)
                                    : chunker::chunk_id(data_id_, plain);
}

void KeySet::chunk_ids(BlobType type, std::span<chunker::IdRequest> requests) const {
  if (type == BlobType::Metadata) {
    chunker::chunk_ids(meta_id_, requests);
  } else {
    chunker::chunk_ids(data_id_, requests);
  }
}

Aead KeySet::pack_aead(PackContent content, Cipher cipher, const PackId& salt) const {
  const SecretBytes& key = content == PackContent::Data ? data_pack_ : meta_pack_;
  return {cipher, derive_salted_key(key.expose(), kPackKeyLabel, salt.view())};
}

Aead KeySet::object_aead(ObjectType type, Cipher cipher, ByteView salt32) const {
  const auto index = static_cast<std::size_t>(type) - 1;
  PV_CHECK(index < kObjectTypes && salt32.size() == kSaltBytes);
  return {cipher, derive_salted_key(object_keys_.expose().subspan(index * kKeyBytes, kKeyBytes),
                                    kObjectKeyLabel, salt32)};
}

std::array<std::byte, 64> KeySet::sign(ByteView message) const {
  std::array<std::byte, crypto_sign_BYTES> signature;
  PV_CHECK(crypto_sign_detached(sodium_out(signature), nullptr, sodium_in(message), message.size(),
                                sodium_in(sign_secret_.expose())) == 0);
  return signature;
}

bool verify_signature(ByteView message, ByteView signature64, ByteView public_key32) {
  return signature64.size() == crypto_sign_BYTES &&
         public_key32.size() == crypto_sign_PUBLICKEYBYTES &&
         crypto_sign_verify_detached(sodium_in(signature64), sodium_in(message), message.size(),
                                     sodium_in(public_key32)) == 0;
}

}  // namespace pagevault::repo
