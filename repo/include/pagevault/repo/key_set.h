// Every key of a repository, derived from its master secret. Source: docs/format.md, 2.

#pragma once

#include <array>
#include <span>
#include <utility>

#include "pagevault/base/secret.h"
#include "pagevault/chunker/chunk_id.h"
#include "pagevault/chunker/cut_key.h"
#include "pagevault/chunker/gate.h"
#include "pagevault/repo/aead.h"
#include "pagevault/repo/format.h"

namespace pagevault::repo {

using MasterSecret = SecretKey<struct MasterSecretRole>;
using SnapshotIdKey = SecretKey<struct SnapshotIdRole>;

/// Immutable after derive(); shared by reference. Thread-safe.
class KeySet {
 public:
  static KeySet derive(MasterSecret master) { return KeySet(std::move(master)); }

  const MasterSecret& master() const { return master_; }
  const chunker::DataIdKey& data_id() const { return data_id_; }
  const chunker::MetaIdKey& meta_id() const { return meta_id_; }
  const chunker::GateKey& gate() const { return gate_; }
  const chunker::CutKey& cut() const { return cut_; }
  const SnapshotIdKey& snapshot_id() const { return snapshot_id_; }

  /// Id of a chunk: data and dictionary chunks by K_data_id, metadata by K_meta_id.
  ChunkId chunk_id(BlobType type, ByteView plain) const;
  /// The same for several chunks of one type, much faster.
  void chunk_ids(BlobType type, std::span<chunker::IdRequest> requests) const;
  /// Key of a pack in key mode 1.
  Aead pack_aead(PackContent content, Cipher cipher, const PackId& salt) const;
  /// Key of a sealed object.
  Aead object_aead(ObjectType type, Cipher cipher, ByteView salt32) const;

  /// Ed25519: the repository's own signer.
  const std::array<std::byte, 32>& signer_public() const { return sign_public_; }
  std::array<std::byte, 64> sign(ByteView message) const;

 private:
  explicit KeySet(MasterSecret master);

  MasterSecret master_;
  chunker::DataIdKey data_id_;
  chunker::MetaIdKey meta_id_;
  SnapshotIdKey snapshot_id_;
  chunker::GateKey gate_;
  chunker::CutKey cut_;
  SecretBytes data_pack_;
  SecretBytes meta_pack_;
  SecretBytes object_keys_;  // 7 x 32 bytes, by object type.
  SecretBytes sign_secret_;  // 64 bytes, Ed25519.
  std::array<std::byte, 32> sign_public_{};
};

/// True when `signature` over `message` is by `public_key`.
bool verify_signature(ByteView message, ByteView signature64, ByteView public_key32);

}  // namespace pagevault::repo
