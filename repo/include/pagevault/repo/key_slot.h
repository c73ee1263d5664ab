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

/// Cost of a passphrase slot. Bounds a reader enforces (S13): 1..64 passes, 8 MiB..2 GiB.
struct Argon2Cost {
  std::uint32_t passes = 4;  ///< About 0.3 s with 64 MiB on the reference machine; see ADR 0004.
  std::uint64_t memory_bytes = 64 * kMiB;
};

struct KeySlotLabel {
  std::string label;
  std::string host;
  std::int64_t created_ns = 0;
};

struct OpenedSlot {
  MasterSecret master;
  KeySlotLabel label;
};

/// The bytes of a new slot with a fresh salt and nonce.
Result<Bytes> make_key_slot(Env& env, const KeySlotId& id, const Credential& credential,
                            const MasterSecret& master, const KeySlotLabel& label,
                            const Argon2Cost& cost);

/// Kind of a slot without opening it. Errors: Corrupt, Unsupported.
Result<KeySlotKind> key_slot_kind(ByteView slot);

/// Errors: WrongKey when the credential does not fit this slot (or is of another kind),
/// Corrupt, AuthFailed, Unsupported. Never runs a KDF outside the bounds.
Result<OpenedSlot> open_key_slot(const KeySlotId& id, ByteView slot, const Credential& credential);

/// The label, sealed in the slot, read with the master secret is not possible: labels are only
/// known for slots the caller can open. `describe` gives what is visible without a credential.
struct KeySlotDescription {
  KeySlotKind kind;
  Argon2Cost cost;  ///< Zero for kinds without a passphrase.
};
Result<KeySlotDescription> describe_key_slot(ByteView slot);

}  // namespace pagevault::repo
