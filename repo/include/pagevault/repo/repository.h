// An open repository: its store, keys and configuration. docs/format.md, 1 to 3.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pagevault/base/env.h"
#include "pagevault/repo/config.h"
#include "pagevault/repo/covered_snapshots.h"
#include "pagevault/repo/credential.h"
#include "pagevault/repo/key_set.h"
#include "pagevault/repo/key_slot.h"
#include "pagevault/repo/session_object.h"
#include "pagevault/repo/snapshot.h"
#include "pagevault/repo/store.h"

namespace pagevault::repo {

struct InitOptions {
  std::string label;
  std::string key_label;
  Argon2Cost cost;
  std::uint32_t pack_bytes = 32 * 1024 * 1024;
};

struct KeySlotInfo {
  KeySlotId id;
  std::optional<KeySlotDescription> description;  ///< Nothing when the slot is damaged.
  std::string problem;                            ///< Then: why.
  bool current = false;                           ///< Opened this repository.
};

struct StoredSnapshot {
  SnapshotId id;
  Snapshot snapshot;
};

struct SnapshotListing {
  std::vector<StoredSnapshot> snapshots;  ///< Oldest first by commit time, then id.
  /// Objects that cannot be opened, with the reason. Never silently dropped.
  struct Damaged {
    ObjectName name;
    Error error;
  };
  std::vector<Damaged> damaged;
  std::uint64_t foreign = 0;  ///< Names that are not snapshots.
};

/// Immutable after open; thread-safe. Outlived by env.
class Repository {
 public:
  /// Creates a repository at `location` with one key slot. Durable when it returns; interrupted, it
  /// can be run again (I12). Errors: AlreadyExists when a repository or foreign files are there;
  /// InvalidArgument, before anything is written, for a pack length outside its bounds.
  static Status init(Env& env, const std::string& location, const Credential& credential,
                     const InitOptions& options);

  /// Errors: NotFound (no repository there), WrongKey, Corrupt, AuthFailed, Unsupported, Io.
  /// Writes nothing.
  static Result<std::unique_ptr<Repository>> open(Env& env, const std::string& location,
                                                  const Credential& credential);
  /// With a master secret from a paper key: for `key import`, when no slot can be opened.
  static Result<std::unique_ptr<Repository>> open_with_master(Env& env, const std::string& location,
                                                              MasterSecret master);

  Env& env() const { return *env_; }
  Store& store() const { return *store_; }
  const KeySet& keys() const { return keys_; }
  const Config& config() const { return config_; }

  /// Body of a sealed object, authenticated for its place.
  Result<Bytes> read_object(const ObjectName& name) const;
  /// Seals `body` and puts it.
  Status put_object(const ObjectName& name, ByteView body) const;

  /// Reads every snapshot object but those in `known`: objects never change (I4). The signatures of
  /// `made_here` are not looked at again: a fifth of a millisecond each, and there are many.
  Result<SnapshotListing> list_snapshots(const SnapshotListing* known = nullptr,
                                         const CoveredSnapshots* made_here = nullptr) const;
  Result<Snapshot> read_snapshot(const SnapshotId& id,
                                 SignatureCheck check = SignatureCheck::Wanted) const;

  Result<std::vector<KeySlotInfo>> list_key_slots() const;
  Result<KeySlotId> add_key_slot(const Credential& credential, const std::string& label,
                                 const Argon2Cost& cost) const;
  /// Errors: NotFound; InvalidArgument for the last slot that can be opened at all, and for the one
  /// in use (F7.2).
  Status remove_key_slot(const KeySlotId& id) const;

 private:
  Repository(Env& env, std::unique_ptr<Store> store, KeySet keys, Config config, KeySlotId slot);

  Env* env_;
  std::unique_ptr<Store> store_;
  KeySet keys_;
  Config config_;
  KeySlotId slot_;  // The slot that opened it; zero with a paper key.
};

}  // namespace pagevault::repo
