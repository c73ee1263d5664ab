#include "pack_check.h"
#include "pagevault/engine/check.h"
#include "pagevault/repo/sealed_object.h"

namespace pagevault::engine {

namespace {

constexpr std::uint64_t kWholePackBytes = 1 * kMiB;  // Small enough to be read twice.

Status check_sealed(const repo::Repository& repository, const repo::ObjectName& name) {
  PV_TRY_ASSIGN(const Bytes body, repository.read_object(name));
  switch (name.type) {
    case repo::ObjectType::Config: {
      PV_TRY_ASSIGN(const repo::Config config, repo::decode_config(body));
      return config.id == repository.config().id
                 ? ok()
                 : Status(Error(ErrorCode::Corrupt, "config of another repository"));
    }
    case repo::ObjectType::Index: {
      PV_TRY(repo::decode_index_object(body));
      return ok();
    }
    case repo::ObjectType::Snapshot: {
      const auto id = SnapshotId::from_hex(name.hex);
      PV_CHECK(id.has_value());  // The store lists exact names only.
      PV_TRY(repository.read_snapshot(*id));
      return ok();
    }
    case repo::ObjectType::Session: {
      PV_TRY(repo::decode_session(body));
      return ok();
    }
    default:
      return Error(ErrorCode::Unsupported, "an object of an unknown type");
  }
}

Status check_key_slot(const repo::Repository& repository, const repo::ObjectName& name) {
  PV_TRY_ASSIGN(const Bytes slot, repository.store().read_all(name, repo::kKeySlotBytesMax));
  PV_TRY(repo::verify_checksum(slot));
  PV_TRY(repo::describe_key_slot(slot));
  return ok();
}

// What a scrub without keys does. First, because most damage ends here without a byte decrypted.
Status check_pack_checksum(repo::Store& store, const repo::ObjectName& name) {
  PV_TRY_ASSIGN(const repo::ObjectInfo object, store.stat(name));
  if (object.bytes > kWholePackBytes) return ok();  // The long way compares it, too.
  Bytes pack(object.bytes);
  repo::RangeRead range{.name = name, .offset = 0, .out = pack, .status = {}};
  store.read_ranges({&range, 1});
  PV_TRY(range.status);
  return repo::verify_checksum(pack);
}

Status check_whole_pack(repo::ChunkReader& reader, const repo::ObjectName& name) {
  PV_TRY(check_pack_checksum(reader.repository().store(), name));
  const auto id = PackId::from_hex(name.hex);
  PV_CHECK(id.has_value());  // The store lists exact names only.
  const PackFindings findings = check_pack(reader, *id, nullptr);
  if (!findings.problems.empty()) return findings.problems.front();
  if (!findings.blobs.empty()) return findings.blobs.front().error;
  return ok();
}

}  // namespace

Status check_object(repo::ChunkReader& reader, const repo::ObjectName& name) {
  const std::string path = repo::object_path(name);
  const repo::Repository& repository = reader.repository();
  if (name.type == repo::ObjectType::Pack) return check_whole_pack(reader, name).context(path);
  if (name.type == repo::ObjectType::KeySlot) return check_key_slot(repository, name).context(path);
  return check_sealed(repository, name).context(path);
}

}  // namespace pagevault::engine
