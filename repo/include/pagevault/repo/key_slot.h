// Key slots wrap the master secret for one credential each. Source: docs/format.md, 2.

#pragma once

#include <string>

#include "pagevault/base/digest.h"
#include "pagevault/base/env.h"
#include "pagevault/repo/credential.h"
#include "pagevault/repo/key_set.h"

namespace pagevault::repo {

using KeySlotId = Identifier<struct KeySlotIdTag, 16>;

enum class KeySlotKind : std::uint8_t { Passphrase = 1, KeyFile = 2, Recipient = 3 };

/// Length of every slot of version 1.
inline constexpr std::size_t kKeySlotBytes = 484;
inline constexpr std::size_t kKeySlotTextBytesMax = 100;

/// Cost of a passphrase slot. Bounds every reader and writer enforces (S13): 1..64 passes,
/// 8 MiB..2 GiB.
struct Argon2Cost {
  std::uint32_t passes = 16;  ///< About 0.3 s with 64 MiB; docs/adr/0004-keys-and-ciphers.md.
  std::uint64_t memory_bytes = 64 * kMiB;
};

/// What its owner calls the slot. Untrusted text: escape it before printing (S17).
struct KeySlotLabel {
  std::string label = {};  ///< At most kKeySlotTextBytesMax bytes.
  std::string host = {};   ///< The same; where the slot was made.
  std::int64_t created_ns = 0;
};

struct OpenedSlot {
  MasterSecret master;
  KeySlotLabel label;
};

/// The bytes of a new slot with a fresh salt and nonce. Errors: InvalidArgument (empty passphrase,
/// long label or host, cost outside the bounds), Io when the memory of the KDF cannot be had.
Result<Bytes> make_key_slot(Env& env, const KeySlotId& id, const Credential& credential,
                            const MasterSecret& master, const KeySlotLabel& label,
                            const Argon2Cost& cost);

/// Kind of a slot without opening it. Errors: Corrupt, Unsupported.
Result<KeySlotKind> key_slot_kind(ByteView slot);

/// Errors: WrongKey when the credential does not fit this slot (or is of another kind), Corrupt
/// (checksum, reserved bytes, KDF cost outside the bounds: the KDF is then not run), AuthFailed
/// (forged, or moved from another id), Unsupported (version, kind, cipher, KDF, role), Io when the
/// memory of the KDF cannot be had.
Result<OpenedSlot> open_key_slot(const KeySlotId& id, ByteView slot, const Credential& credential);

/// What is visible without a credential. Label, host and time of creation are sealed in the slot:
/// only who can open it reads them.
struct KeySlotDescription {
  KeySlotKind kind;
  Argon2Cost cost;  ///< Zero for kinds without a passphrase.
};
Result<KeySlotDescription> describe_key_slot(ByteView slot);

}  // namespace pagevault::repo
