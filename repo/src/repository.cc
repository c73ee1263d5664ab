#include "pagevault/repo/repository.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "pagevault/repo/directory_store.h"
#include "pagevault/repo/sealed_object.h"

namespace pagevault::repo {

namespace {

constexpr std::uint64_t kSealedObjectBytesMax = kSealedBodyBytesMax + 4 * kKiB;

// The 32 bytes an object is bound to besides its type: its name, or zero for the config.
Result<std::array<std::byte, 32>> object_id(const ObjectName& name) {
  std::array<std::byte, 32> id{};
  if (name.type == ObjectType::Config) return id;
  const auto raw = from_hex(name.hex);
  if (!raw || raw->size() != id.size()) {
    return Error(ErrorCode::InvalidArgument, object_path(name) + ": not an object name");
  }
  std::copy(raw->begin(), raw->end(), id.begin());
  return id;
}

ObjectName slot_name(const KeySlotId& id) { return {ObjectType::KeySlot, id.hex()}; }

Result<Bytes> open_sealed(Store& store, const KeySet& keys, const RepositoryId& repository,
                          const ObjectName& name) {
  PV_TRY_ASSIGN(const Bytes object, store.read_all(name, kSealedObjectBytesMax));
  PV_TRY_ASSIGN(const auto id, object_id(name));
  return open_object(keys, {.type = name.type, .repository = repository, .id = id}, object)
      .context(object_path(name));
}

Result<std::vector<KeySlotId>> key_slot_ids(Store& store) {
  PV_TRY_ASSIGN(const Listing listing, store.list(ObjectType::KeySlot));
  if (listing.objects.size() > kKeySlotsMax) {
    return Error(ErrorCode::Corrupt, fmt::format("{} key slots, at most {} are allowed",
                                                 listing.objects.size(), kKeySlotsMax));
  }
  std::vector<KeySlotId> ids;
  for (const ObjectInfo& object : listing.objects) {
    const auto id = KeySlotId::from_hex(object.name.hex);
    PV_CHECK(id.has_value());  // The store lists exact names only.
    ids.push_back(*id);
  }
  return ids;
}

Result<Config> read_config(Store& store, const KeySet& keys) {
  PV_TRY_ASSIGN(const Bytes body,
                open_sealed(store, keys, RepositoryId{}, {ObjectType::Config, ""}));
  return decode_config(body).context("config");
}

struct Unlocked {
  KeySet keys;
  Config config;
  KeySlotId slot;
};

Result<Unlocked> unlock_with(Store& store, const KeySlotId& id, const Credential& credential) {
  PV_TRY_ASSIGN(const Bytes slot, store.read_all(slot_name(id), kKeySlotBytesMax));
  PV_TRY_ASSIGN(OpenedSlot opened, open_key_slot(id, slot, credential));
  KeySet keys = KeySet::derive(std::move(opened.master));
  PV_TRY_ASSIGN(Config config, read_config(store, keys));
  return Unlocked{std::move(keys), std::move(config), id};
}

// Tries every slot. Damaged ones, and those of an init that was interrupted before its config was
// written, do not keep the others from opening (F7.2, I12).
Result<Unlocked> unlock(Store& store, const Credential& credential) {
  PV_TRY_ASSIGN(const auto ids, key_slot_ids(store));
  if (ids.empty()) {
    return Error(ErrorCode::Corrupt, "keys: no key slot is left; a paper key can add one");
  }
  std::optional<Error> problem;
  for (const KeySlotId& id : ids) {
    auto unlocked = unlock_with(store, id, credential);
    if (unlocked) return unlocked;
    if (unlocked.error().code() != ErrorCode::WrongKey) {
      problem = unlocked.error().with_context(object_path(slot_name(id)));
    }
  }
  if (problem) return *problem;
  return Error(ErrorCode::WrongKey, fmt::format("the given key or passphrase opens none of the {} "
                                                "key slots",
                                                ids.size()));
}

Bytes sealed_with_place(Env& env, const KeySet& keys, const RepositoryId& repository,
                        const ObjectName& name, ByteView body) {
  const auto id = object_id(name);
  PV_CHECK(id.has_value());  // We made the name.
  return seal_object(env, keys, {.type = name.type, .repository = repository, .id = *id}, body);
}

Result<KeySlotId> put_key_slot(Env& env, Store& store, const Credential& credential,
                               const MasterSecret& master, const std::string& label,
                               const Argon2Cost& cost) {
  KeySlotId id;
  env.random(id.bytes);
  const KeySlotLabel description{label, env.host_name().substr(0, 100), env.now_ns()};
  PV_TRY_ASSIGN(const Bytes slot, make_key_slot(env, id, credential, master, description, cost));
  PV_TRY(store.put(slot_name(id), slot));
  return id;
}

}  // namespace

Repository::Repository(Env& env, std::unique_ptr<Store> store, KeySet keys, Config config,
                       KeySlotId slot)
    : env_(&env),
      store_(std::move(store)),
      keys_(std::move(keys)),
      config_(std::move(config)),
      slot_(slot) {}

Status Repository::init(Env& env, const std::string& location, const Credential& credential,
                        const InitOptions& options) {
  if (options.pack_bytes < kConfigPackBytesMin || options.pack_bytes > kConfigPackBytesMax) {
    return Error(ErrorCode::InvalidArgument,
                 fmt::format("pack length {} is outside {}..{}", options.pack_bytes,
                             kConfigPackBytesMin, kConfigPackBytesMax));
  }
  PV_TRY_ASSIGN(const auto store, create_directory_store(env, location));
  MasterSecret master;
  env.random(master.expose_mutable());
  PV_TRY(put_key_slot(env, *store, credential, master, options.key_label, options.cost));
  Config config;
  env.random(config.id.bytes);
  config.created_ns = env.now_ns();
  config.label = options.label;
  config.pack_bytes = options.pack_bytes;
  const KeySet keys = KeySet::derive(std::move(master));
  // The config comes last: it is what makes the folder a repository.
  const ObjectName name{ObjectType::Config, ""};
  return store->put(name,
                    sealed_with_place(env, keys, RepositoryId{}, name, encode_config(config)));
}

Result<std::unique_ptr<Repository>> Repository::open(Env& env, const std::string& location,
                                                     const Credential& credential) {
  PV_TRY_ASSIGN(auto store, open_directory_store(env, location));
  PV_TRY_ASSIGN(Unlocked unlocked, unlock(*store, credential));
  return std::unique_ptr<Repository>(new Repository(env, std::move(store), std::move(unlocked.keys),
                                                    std::move(unlocked.config), unlocked.slot));
}

Result<std::unique_ptr<Repository>> Repository::open_with_master(Env& env,
                                                                 const std::string& location,
                                                                 MasterSecret master) {
  PV_TRY_ASSIGN(auto store, open_directory_store(env, location));
  KeySet keys = KeySet::derive(std::move(master));
  auto config = read_config(*store, keys);
  if (!config && config.error().code() == ErrorCode::AuthFailed) {
    return Error(ErrorCode::WrongKey, "the paper key belongs to another repository");
  }
  if (!config) return config.error();
  return std::unique_ptr<Repository>(new Repository(env, std::move(store), std::move(keys),
                                                    std::move(config).value(), KeySlotId{}));
}

Result<Bytes> Repository::read_object(const ObjectName& name) const {
  // The config says which repository this is, so it cannot be bound to it.
  const bool is_config = name.type == ObjectType::Config;
  return open_sealed(*store_, keys_, is_config ? RepositoryId{} : config_.id, name);
}

Status Repository::put_object(const ObjectName& name, ByteView body) const {
  return store_->put(name, sealed_with_place(*env_, keys_, config_.id, name, body));
}

Result<Snapshot> Repository::read_snapshot(const SnapshotId& id, SignatureCheck check) const {
  const ObjectName name{ObjectType::Snapshot, id.hex()};
  PV_TRY_ASSIGN(const Bytes body, read_object(name));
  return decode_snapshot(keys_, config_.id, id, body, check).context(object_path(name));
}

Result<SnapshotListing> Repository::list_snapshots(const SnapshotListing* known,
                                                   const CoveredSnapshots* made_here) const {
  std::unordered_map<SnapshotId, const Snapshot*> read_before;
  if (known != nullptr) {
    for (const StoredSnapshot& stored : known->snapshots) {
      read_before.emplace(stored.id, &stored.snapshot);
    }
  }
  PV_TRY_ASSIGN(const Listing listing, store_->list(ObjectType::Snapshot));
  SnapshotListing out;
  out.foreign = listing.foreign;
  for (const ObjectInfo& object : listing.objects) {
    const auto id = SnapshotId::from_hex(object.name.hex);
    PV_CHECK(id.has_value());  // The store lists exact names only.
    const bool ours = made_here != nullptr && made_here->contains(*id);
    const auto before = read_before.find(*id);
    auto snapshot = before != read_before.end() ? Result<Snapshot>(*before->second)
                                                : read_snapshot(*id, ours ? SignatureCheck::MadeHere
                                                                          : SignatureCheck::Wanted);
    if (snapshot) {
      out.snapshots.push_back({*id, std::move(snapshot).value()});
    } else if (snapshot.error().code() != ErrorCode::NotFound) {  // Forgotten meanwhile.
      out.damaged.push_back({object.name, snapshot.error()});
    }
  }
  std::sort(out.snapshots.begin(), out.snapshots.end(), [](const auto& a, const auto& b) {
    return std::tie(a.snapshot.committed_ns, a.id) < std::tie(b.snapshot.committed_ns, b.id);
  });
  return out;
}

Result<std::vector<KeySlotInfo>> Repository::list_key_slots() const {
  PV_TRY_ASSIGN(const auto ids, key_slot_ids(*store_));
  std::vector<KeySlotInfo> out;
  for (const KeySlotId& id : ids) {
    KeySlotInfo info{.id = id, .description = {}, .problem = {}, .current = id == slot_};
    auto bytes = store_->read_all(slot_name(id), kKeySlotBytesMax);
    auto description =
        bytes ? describe_key_slot(*bytes) : Result<KeySlotDescription>(bytes.error());
    if (description) {
      info.description = *description;
    } else {
      info.problem = description.error().message();
    }
    out.push_back(std::move(info));
  }
  return out;
}

Result<KeySlotId> Repository::add_key_slot(const Credential& credential, const std::string& label,
                                           const Argon2Cost& cost) const {
  PV_TRY_ASSIGN(const auto ids, key_slot_ids(*store_));
  if (ids.size() >= kKeySlotsMax) {
    return Error(ErrorCode::InvalidArgument,
                 fmt::format("there are {} key slots already, the most allowed", ids.size()));
  }
  return put_key_slot(*env_, *store_, credential, keys_.master(), label, cost);
}

Status Repository::remove_key_slot(const KeySlotId& id) const {
  PV_TRY_ASSIGN(const auto slots, list_key_slots());
  const auto usable = std::count_if(slots.begin(), slots.end(),
                                    [](const KeySlotInfo& s) { return s.description.has_value(); });
  const auto found =
      std::find_if(slots.begin(), slots.end(), [&](const KeySlotInfo& s) { return s.id == id; });
  if (found == slots.end()) {
    return Error(ErrorCode::NotFound, "there is no key slot " + id.hex(8));
  }
  if (found->current) {
    return Error(ErrorCode::InvalidArgument,
                 "key slot " + id.hex(8) + " is the one in use; open with another to remove it");
  }
  if (found->description && usable <= 1) {
    return Error(ErrorCode::InvalidArgument, "key slot " + id.hex(8) + " is the last one");
  }
  return store_->remove(slot_name(id));
}

}  // namespace pagevault::repo
