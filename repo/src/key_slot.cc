#include "pagevault/repo/key_slot.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>

#include "pagevault/base/codec.h"
#include "pagevault/repo/sealed_object.h"
#include "sodium_bytes.h"

namespace pagevault::repo {

namespace {

// Offsets: docs/format.md, 2 "Key slot".
constexpr std::string_view kMagic = "PVKEYSLT";
constexpr std::size_t kSealedKekBytes = 80;
constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kHeaderBytes = 204;
constexpr std::size_t kPlainBytes = 256;
constexpr std::size_t kPayloadBytes = kPlainBytes + kTagBytes;
constexpr std::size_t kChecksumBytes = 8;
static_assert(kKeySlotBytes == kHeaderBytes + kPayloadBytes + kChecksumBytes);
static_assert(kKeySlotBytes <= kKeySlotBytesMax);

constexpr std::uint32_t kKdfNone = 0;
constexpr std::uint32_t kKdfArgon2id = 1;
constexpr std::uint8_t kRoleOwner = 1;
constexpr std::size_t kKekBytes = 32;
constexpr std::string_view kKekLabel = "pagevault slot kek v1";
constexpr std::string_view kCommitmentLabel = "pagevault slot commitment v1";

// S13: outside of these a KDF is never run.
constexpr std::uint32_t kPassesMax = 64;
constexpr std::uint64_t kMemoryBytesMin = 8 * kMiB;
constexpr std::uint64_t kMemoryBytesMax = 2 * kGiB;

bool in_bounds(const Argon2Cost& cost) {
  return cost.passes >= 1 && cost.passes <= kPassesMax && cost.memory_bytes >= kMemoryBytesMin &&
         cost.memory_bytes <= kMemoryBytesMax;
}

struct Header {
  KeySlotKind kind = KeySlotKind::Passphrase;
  Argon2Cost cost{.passes = 0, .memory_bytes = 0};
  ByteView salt;
  ByteView nonce;
  ByteView commitment;
};

Bytes encode_header(const Header& header) {
  Encoder out;
  out.raw(as_bytes(kMagic));
  out.u16(kFormatVersion);
  out.u8(static_cast<std::uint8_t>(header.kind));
  out.u8(static_cast<std::uint8_t>(Cipher::XChaCha20Poly1305));
  out.u32(0);
  out.u32(header.kind == KeySlotKind::Passphrase ? kKdfArgon2id : kKdfNone);
  out.u32(header.cost.passes);
  out.u64(header.cost.memory_bytes);
  out.raw(header.salt);
  out.raw(header.nonce);
  out.raw(header.commitment);
  out.zeros(kSealedKekBytes);
  out.u32(kPlainBytes);
  PV_CHECK(out.size() == kHeaderBytes);
  return out.take();
}

Error unsupported(std::string_view what, std::uint64_t value) {
  return {ErrorCode::Unsupported, fmt::format("key slot: {} {} is not supported", what, value)};
}

/// Version, kind, cipher, flags: what a newer program may have written differently.
Result<KeySlotKind> decode_kind(Decoder& in) {
  PV_TRY_ASSIGN(const std::uint16_t version, in.u16());
  if (version != kFormatVersion) return unsupported("version", version);
  PV_TRY_ASSIGN(const std::uint8_t kind, in.u8());
  if (kind < 1 || kind > 3) return unsupported("kind", kind);
  PV_TRY_ASSIGN(const std::uint8_t cipher, in.u8());
  if (cipher != static_cast<std::uint8_t>(Cipher::XChaCha20Poly1305)) {
    return unsupported("cipher", cipher);
  }
  PV_TRY_ASSIGN(const std::uint32_t flags, in.u32());
  if (flags != 0) return unsupported("flags", flags);
  return static_cast<KeySlotKind>(kind);
}

Result<Argon2Cost> decode_cost(Decoder& in, KeySlotKind kind) {
  Argon2Cost cost;
  PV_TRY_ASSIGN(const std::uint32_t kdf, in.u32());
  PV_TRY_ASSIGN(cost.passes, in.u32());
  PV_TRY_ASSIGN(cost.memory_bytes, in.u64());
  const bool has_passphrase = kind == KeySlotKind::Passphrase;
  if (kdf != (has_passphrase ? kKdfArgon2id : kKdfNone)) return unsupported("KDF", kdf);
  const bool sound = has_passphrase ? in_bounds(cost) : cost.passes == 0 && cost.memory_bytes == 0;
  if (!sound) {
    return in.corrupt(fmt::format("refused KDF cost: {} passes, {} bytes of memory", cost.passes,
                                  cost.memory_bytes));
  }
  return cost;
}

Status verify_envelope(ByteView slot) {
  if (slot.size() < kMagic.size() + kChecksumBytes || slot.size() > kKeySlotBytesMax) {
    return Error(ErrorCode::Corrupt, fmt::format("key slot: of {} bytes", slot.size()));
  }
  if (!std::ranges::equal(slot.first(kMagic.size()), as_bytes(kMagic))) {
    return Error(ErrorCode::Corrupt, "key slot: not a key slot");
  }
  return verify_checksum(slot).context("key slot");
}

Result<Header> decode_slot(ByteView slot) {
  PV_TRY(verify_envelope(slot));
  Decoder in(slot, "key slot");
  Header header;
  PV_TRY(in.raw(kMagic.size()));
  PV_TRY_ASSIGN(header.kind, decode_kind(in));
  if (slot.size() != kKeySlotBytes) return in.corrupt(fmt::format("of {} bytes", slot.size()));
  PV_TRY_ASSIGN(header.cost, decode_cost(in, header.kind));
  PV_TRY_ASSIGN(header.salt, in.raw(kSaltBytes));
  PV_TRY_ASSIGN(header.nonce, in.raw(kNonceBytes));
  PV_TRY_ASSIGN(header.commitment, in.raw(sizeof(Commitment)));
  PV_TRY_ASSIGN(const ByteView sealed_kek, in.raw(kSealedKekBytes));
  if (header.kind != KeySlotKind::Recipient && !is_all_zero(sealed_kek)) {
    return in.corrupt("reserved bytes are not zero");
  }
  PV_TRY_ASSIGN(const std::uint32_t plain_bytes, in.u32());
  if (plain_bytes != kPlainBytes) return in.corrupt("payload of another length");
  return header;
}

Result<SecretBytes> stretch_passphrase(const Passphrase& passphrase, const Header& header) {
  PV_CHECK(in_bounds(header.cost));
  SecretBytes kek(kKekBytes);
  const std::string_view text = as_text(passphrase.text.expose());
  const int failed =
      crypto_pwhash(sodium_out(kek.expose_mutable()), kek.size(), text.data(), text.size(),
                    sodium_in(header.salt.first(crypto_pwhash_SALTBYTES)), header.cost.passes,
                    header.cost.memory_bytes, crypto_pwhash_ALG_ARGON2ID13);
  if (failed == 0) return kek;
  return Error(ErrorCode::Io, fmt::format("key slot: no memory for the passphrase's KDF ({} MiB)",
                                          header.cost.memory_bytes / kMiB));
}

KeySlotKind kind_of(const Credential& credential) {
  return std::holds_alternative<Passphrase>(credential) ? KeySlotKind::Passphrase
                                                        : KeySlotKind::KeyFile;
}

/// The key-encryption key. `credential` is of the header's kind.
Result<SecretBytes> derive_kek(const Credential& credential, const Header& header) {
  if (const auto* passphrase = std::get_if<Passphrase>(&credential)) {
    return stretch_passphrase(*passphrase, header);
  }
  return derive_salted_key(std::get<KeyFileSecret>(credential).bytes.expose(), kKekLabel,
                           header.salt);
}

Commitment commitment_of(const SecretBytes& kek) {
  return blake2b_256(kek.expose(), as_bytes(kCommitmentLabel));
}

Bytes associated_data(ByteView header, const KeySlotId& id) {
  Bytes out = to_bytes(header);
  append(out, id.view());
  return out;
}

SecretBytes encode_payload(const MasterSecret& master, const KeySlotLabel& label) {
  Encoder rest;  // Holds no secret: the master secret goes straight into guarded memory.
  rest.i64(label.created_ns);
  rest.str(label.label);
  rest.str(label.host);
  SecretBytes payload(kPlainBytes);
  const MutableBytes out = payload.expose_mutable();
  out[0] = std::byte{kRoleOwner};
  std::ranges::copy(master.expose(), out.subspan(1).begin());
  std::ranges::copy(rest.view(), out.subspan(1 + MasterSecret::kBytes).begin());
  return payload;
}

Result<OpenedSlot> decode_payload(const SecretBytes& payload) {
  Decoder in(payload.expose(), "key slot payload");
  PV_TRY_ASSIGN(const std::uint8_t role, in.u8());
  if (role != kRoleOwner) return unsupported("role", role);
  PV_TRY_ASSIGN(const ByteView master, in.raw(MasterSecret::kBytes));
  KeySlotLabel label;
  PV_TRY_ASSIGN(label.created_ns, in.i64());
  PV_TRY_ASSIGN(const ByteView text, in.str(kKeySlotTextBytesMax));
  PV_TRY_ASSIGN(const ByteView host, in.str(kKeySlotTextBytesMax));
  PV_TRY_ASSIGN(const ByteView padding, in.raw(in.remaining()));
  if (!is_all_zero(padding)) return in.corrupt("padding is not zero");
  label.label = as_text(text);
  label.host = as_text(host);
  return OpenedSlot{MasterSecret(SecretBytes::copy_of(master)), std::move(label)};
}

Status check_request(const Credential& credential, const KeySlotLabel& label,
                     const Argon2Cost& cost) {
  const auto refuse = [](std::string_view problem) {
    return Error(ErrorCode::InvalidArgument, fmt::format("key slot: {}", problem));
  };
  if (label.label.size() > kKeySlotTextBytesMax) return refuse("label over 100 bytes");
  if (label.host.size() > kKeySlotTextBytesMax) return refuse("host name over 100 bytes");
  if (const auto* passphrase = std::get_if<Passphrase>(&credential)) {
    if (passphrase->text.empty()) return refuse("the passphrase is empty");
    if (!in_bounds(cost)) return refuse("KDF cost outside 1..64 passes and 8 MiB..2 GiB");
  } else if (std::get<KeyFileSecret>(credential).bytes.size() != kKekBytes) {
    return refuse("the key file's secret is not 32 bytes");
  }
  return ok();
}

}  // namespace

Result<Bytes> make_key_slot(Env& env, const KeySlotId& id, const Credential& credential,
                            const MasterSecret& master, const KeySlotLabel& label,
                            const Argon2Cost& cost) {
  PV_TRY(check_request(credential, label, cost));
  std::array<std::byte, kSaltBytes> salt;
  std::array<std::byte, kNonceBytes> nonce;
  env.random(salt);
  env.random(nonce);
  Header header{.kind = kind_of(credential), .salt = salt, .nonce = nonce, .commitment = {}};
  if (header.kind == KeySlotKind::Passphrase) header.cost = cost;
  PV_TRY_ASSIGN(const SecretBytes kek, derive_kek(credential, header));
  const Commitment commitment = commitment_of(kek);
  header.commitment = commitment;

  Bytes slot = encode_header(header);
  const Bytes associated = associated_data(slot, id);
  const SecretBytes payload = encode_payload(master, label);
  slot.resize(kKeySlotBytes);
  const MutableBytes all(slot);
  PV_CHECK(crypto_aead_xchacha20poly1305_ietf_encrypt(
               sodium_out(all.subspan(kHeaderBytes)), nullptr, sodium_in(payload.expose()),
               payload.size(), sodium_in(associated), associated.size(), nullptr, sodium_in(nonce),
               sodium_in(kek.expose())) == 0);
  store_le64(all.last(kChecksumBytes), object_checksum(all.first(all.size() - kChecksumBytes)));
  return slot;
}

Result<KeySlotKind> key_slot_kind(ByteView slot) {
  PV_TRY_ASSIGN(const Header header, decode_slot(slot));
  return header.kind;
}

Result<OpenedSlot> open_key_slot(const KeySlotId& id, ByteView slot, const Credential& credential) {
  PV_TRY_ASSIGN(const Header header, decode_slot(slot));
  const Error wrong(ErrorCode::WrongKey, "key slot: this credential does not open it");
  if (header.kind != kind_of(credential)) return wrong;
  PV_TRY_ASSIGN(const SecretBytes kek, derive_kek(credential, header));
  if (!equal_constant_time(commitment_of(kek), header.commitment)) return wrong;

  const Bytes associated = associated_data(slot.first(kHeaderBytes), id);
  const ByteView sealed = slot.subspan(kHeaderBytes, kPayloadBytes);
  SecretBytes payload(kPlainBytes);
  const int failed = crypto_aead_xchacha20poly1305_ietf_decrypt(
      sodium_out(payload.expose_mutable()), nullptr, nullptr, sodium_in(sealed), sealed.size(),
      sodium_in(associated), associated.size(), sodium_in(header.nonce), sodium_in(kek.expose()));
  if (failed != 0) return Error(ErrorCode::AuthFailed, "key slot: authentication failed");
  return decode_payload(payload);
}

Result<KeySlotDescription> describe_key_slot(ByteView slot) {
  PV_TRY_ASSIGN(const Header header, decode_slot(slot));
  return KeySlotDescription{header.kind, header.cost};
}

}  // namespace pagevault::repo
