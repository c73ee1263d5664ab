// The snapshot object's body: the signed root of one backup. Source: docs/format.md, 3.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pagevault/base/digest.h"
#include "pagevault/repo/file_map.h"
#include "pagevault/repo/key_set.h"
#include "pagevault/repo/postgres_record.h"

namespace pagevault::repo {

enum class SnapshotKind : std::uint8_t { Files = 1, Sqlite = 2, Postgres = 3, Stream = 4 };

/// Counts and bytes for people; nothing depends on them.
struct SnapshotStats {
  std::uint64_t files = 0;
  std::uint64_t directories = 0;
  std::uint64_t others = 0;
  std::uint64_t files_new = 0;
  std::uint64_t files_changed = 0;
  std::uint64_t files_unmodified = 0;
  std::uint64_t bytes_source = 0;  ///< Sum of file sizes.
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_new = 0;          ///< Plain bytes of chunks this snapshot added.
  std::uint64_t bytes_stored_data = 0;  ///< Their sealed bytes in packs.
  std::uint64_t bytes_stored_meta = 0;
  std::uint64_t errors = 0;
  bool operator==(const SnapshotStats&) const = default;
};

struct Snapshot {
  SnapshotKind kind = SnapshotKind::Files;
  std::int64_t begun_ns = 0;
  std::int64_t committed_ns = 0;
  std::string host;
  std::string user;
  std::vector<std::string> paths;
  std::vector<std::string> tags;  ///< Ascending, distinct.
  std::uint64_t root_length = 0;
  MapRoot root;
  std::optional<SnapshotId> parent;
  ClientId client;
  std::uint64_t sequence = 1;
  SnapshotId predecessor;  ///< Zero when first of its client.
  SessionId session;
  std::uint64_t audit_round = 0;
  SnapshotStats stats;
  std::string program;
  bool incomplete = false;                 ///< Some sources could not be read (exit code 3).
  std::optional<PostgresRecord> postgres;  ///< Of SnapshotKind::Postgres, and only of it.
};

struct SealedSnapshot {
  SnapshotId id;
  Bytes body;
};

/// Body with signature, and the id that follows from it. Tags are ascending and distinct, and there
/// is a PostgreSQL record that the format can hold where the kind wants one (checked: our bug
/// otherwise).
SealedSnapshot encode_snapshot(const KeySet& keys, const RepositoryId& repository,
                               const Snapshot& snapshot);

/// Whether decode_snapshot looks at the signature. The id is a keyed hash of body and signature: a
/// client that made a snapshot itself, and kept its id, has that very snapshot when the id fits.
enum class SignatureCheck : std::uint8_t { Wanted, MadeHere };

/// Errors: Corrupt (also when the id does not fit the body), AuthFailed (signer or signature),
/// Unsupported (unknown critical field, signer kind or snapshot kind). Nothing of an unsigned body
/// is parsed but the lengths around the signature.
Result<Snapshot> decode_snapshot(const KeySet& keys, const RepositoryId& repository,
                                 const SnapshotId& id, ByteView body,
                                 SignatureCheck check = SignatureCheck::Wanted);

}  // namespace pagevault::repo
