#include "pagevault/repo/snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "pagevault/repo/fields.h"

namespace pagevault::repo {

namespace {

// Tags: docs/format.md, 3 "Snapshot".
enum Tag : std::uint16_t {
  kAuditRound = 0x000c,
  kStatistics = 0x000d,
  kProgram = 0x000e,
  kIncomplete = 0x000f,
  kPostgres = 0x0010,
  kKind = 0x8001,
  kBegun = 0x8002,
  kCommitted = 0x8003,
  kHost = 0x8004,
  kUser = 0x8005,
  kPaths = 0x8006,
  kTags = 0x8007,
  kRoot = 0x8008,
  kParent = 0x8009,
  kChain = 0x800a,
  kSession = 0x800b,
};
constexpr std::uint16_t kKnown[] = {kKind, kBegun, kCommitted, kHost,  kUser,   kPaths,
                                    kTags, kRoot,  kParent,    kChain, kSession};

constexpr std::uint8_t kSignerRepository = 1;
constexpr std::size_t kPublicKeyBytes = 32;
constexpr std::size_t kSignatureBytes = 64;
constexpr std::string_view kSignatureLabel = "pagevault snapshot v1";

// In the order of the format.
constexpr std::uint64_t SnapshotStats::*kStatisticsOrder[] = {
    &SnapshotStats::files,
    &SnapshotStats::directories,
    &SnapshotStats::others,
    &SnapshotStats::files_new,
    &SnapshotStats::files_changed,
    &SnapshotStats::files_unmodified,
    &SnapshotStats::bytes_source,
    &SnapshotStats::bytes_read,
    &SnapshotStats::bytes_new,
    &SnapshotStats::bytes_stored_data,
    &SnapshotStats::bytes_stored_meta,
    &SnapshotStats::errors,
};
static_assert(std::size(kStatisticsOrder) == 12);

Error corrupt(std::string_view problem) {
  return {ErrorCode::Corrupt, fmt::format("snapshot: {}", problem)};
}

Bytes encode_texts(const std::vector<std::string>& texts) {
  Encoder out;
  out.varint(texts.size());
  for (const std::string& text : texts) out.str(text);
  return out.take();
}

Result<std::vector<std::string>> decode_texts(const FieldReader& fields, std::uint16_t tag) {
  PV_TRY_ASSIGN(const ByteView value, fields.required(tag));
  Decoder in(value, "snapshot: texts");
  // Each text takes a byte at least, so the count cannot make us allocate beyond the input.
  PV_TRY_ASSIGN(const std::uint64_t count, in.varint(0, value.size()));
  std::vector<std::string> texts;
  for (std::uint64_t i = 0; i < count; ++i) {
    PV_TRY_ASSIGN(const ByteView text, in.str(in.remaining()));
    texts.emplace_back(as_text(text));
  }
  PV_TRY(in.finish());
  return texts;
}

bool ascending_and_distinct(const std::vector<std::string>& texts) {
  return std::ranges::adjacent_find(texts, std::ranges::greater_equal()) == texts.end();
}

Bytes encode_root(const Snapshot& snapshot) {
  Encoder out;
  out.varint(snapshot.root_length);
  encode_map_root(out, snapshot.root);
  return out.take();
}

Status decode_root(const FieldReader& fields, Snapshot& snapshot) {
  PV_TRY_ASSIGN(const ByteView value, fields.required(kRoot));
  Decoder in(value, "snapshot: root");
  PV_TRY_ASSIGN(snapshot.root_length, in.varint(0, kFileBytesMax));
  PV_TRY_ASSIGN(snapshot.root, decode_map_root(in));
  PV_TRY(in.finish());
  const bool empty = snapshot.root.form == MapRoot::Form::Empty;
  if (empty != (snapshot.root_length == 0)) return in.corrupt("length does not fit the map");
  return ok();
}

Bytes encode_chain(const Snapshot& snapshot) {
  Encoder out;
  out.raw(snapshot.client.view());
  out.u64(snapshot.sequence);
  out.raw(snapshot.predecessor.view());
  return out.take();
}

Status decode_chain(const FieldReader& fields, Snapshot& snapshot) {
  PV_TRY_ASSIGN(const ByteView value, fields.required(kChain));
  Decoder in(value, "snapshot: chain");
  PV_TRY_ASSIGN(snapshot.client.bytes, in.array<ClientId::kBytes>());
  PV_TRY_ASSIGN(snapshot.sequence, in.u64());
  PV_TRY_ASSIGN(snapshot.predecessor.bytes, in.array<SnapshotId::kBytes>());
  PV_TRY(in.finish());
  if (snapshot.sequence == 0) return in.corrupt("sequence 0");
  return ok();
}

Bytes encode_statistics(const SnapshotStats& stats) {
  Encoder out;
  for (const auto member : kStatisticsOrder) out.u64(stats.*member);
  return out.take();
}

Result<SnapshotStats> decode_statistics(ByteView value) {
  Decoder in(value, "snapshot: statistics");
  SnapshotStats stats;
  for (const auto member : kStatisticsOrder) {
    PV_TRY_ASSIGN(stats.*member, in.u64());
  }
  PV_TRY(in.finish());
  return stats;
}

Result<std::optional<SnapshotId>> decode_parent(const FieldReader& fields) {
  PV_TRY_ASSIGN(const ByteView value, fields.required(kParent));
  if (value.empty()) return std::optional<SnapshotId>();
  if (value.size() != SnapshotId::kBytes) return corrupt("parent of another length");
  return std::optional(SnapshotId::from_view(value));
}

Result<SnapshotKind> decode_kind(const FieldReader& fields) {
  PV_TRY_ASSIGN(const std::uint8_t kind, fields.u8(kKind));
  if (kind >= 1 && kind <= 4) return static_cast<SnapshotKind>(kind);
  return Error(ErrorCode::Unsupported, fmt::format("snapshot: unknown kind {}", kind));
}

Bytes encode_fields(const Snapshot& snapshot) {
  PV_CHECK(ascending_and_distinct(snapshot.tags));
  PV_CHECK(snapshot.postgres.has_value() == (snapshot.kind == SnapshotKind::Postgres));
  FieldWriter out;
  out.add_u64(kAuditRound, snapshot.audit_round);
  out.add(kStatistics, encode_statistics(snapshot.stats));
  out.add_text(kProgram, snapshot.program);
  if (snapshot.incomplete) out.add_u8(kIncomplete, 1);
  if (snapshot.postgres) out.add(kPostgres, encode_postgres_record(*snapshot.postgres));
  out.add_u8(kKind, static_cast<std::uint8_t>(snapshot.kind));
  out.add_i64(kBegun, snapshot.begun_ns);
  out.add_i64(kCommitted, snapshot.committed_ns);
  out.add_text(kHost, snapshot.host);
  out.add_text(kUser, snapshot.user);
  out.add(kPaths, encode_texts(snapshot.paths));
  out.add(kTags, encode_texts(snapshot.tags));
  out.add(kRoot, encode_root(snapshot));
  out.add(kParent, snapshot.parent ? snapshot.parent->view() : ByteView());
  out.add(kChain, encode_chain(snapshot));
  out.add(kSession, snapshot.session.view());
  return out.take();
}

Status decode_source(const FieldReader& fields, Snapshot& snapshot) {
  PV_TRY_ASSIGN(snapshot.kind, decode_kind(fields));
  PV_TRY_ASSIGN(snapshot.begun_ns, fields.i64(kBegun));
  PV_TRY_ASSIGN(snapshot.committed_ns, fields.i64(kCommitted));
  PV_TRY_ASSIGN(snapshot.host, fields.text(kHost));
  PV_TRY_ASSIGN(snapshot.user, fields.text(kUser));
  PV_TRY_ASSIGN(snapshot.paths, decode_texts(fields, kPaths));
  PV_TRY_ASSIGN(snapshot.tags, decode_texts(fields, kTags));
  if (!ascending_and_distinct(snapshot.tags)) return corrupt("tags are not ascending");
  return ok();
}

Status decode_optional(const FieldReader& fields, Snapshot& snapshot) {
  if (fields.has(kAuditRound)) {
    PV_TRY_ASSIGN(snapshot.audit_round, fields.u64(kAuditRound));
  }
  if (fields.has(kStatistics)) {
    PV_TRY_ASSIGN(snapshot.stats, decode_statistics(fields.optional(kStatistics)));
  }
  if (fields.has(kProgram)) {
    PV_TRY_ASSIGN(snapshot.program, fields.text(kProgram));
  }
  if (fields.has(kIncomplete)) {
    PV_TRY_ASSIGN(const std::uint8_t incomplete, fields.u8(kIncomplete));
    if (incomplete > 1) return corrupt("neither complete nor incomplete");
    snapshot.incomplete = incomplete == 1;
  }
  return ok();
}

Status decode_postgres(const FieldReader& fields, Snapshot& snapshot) {
  const bool expected = snapshot.kind == SnapshotKind::Postgres;
  if (fields.has(kPostgres) != expected) {
    return corrupt(expected ? "of PostgreSQL, without its record" : "a record of another kind");
  }
  if (!expected) return ok();
  PV_TRY_ASSIGN(snapshot.postgres, decode_postgres_record(fields.optional(kPostgres)));
  return ok();
}

Result<Snapshot> decode_fields(ByteView bytes) {
  PV_TRY_ASSIGN(const FieldReader fields, FieldReader::parse(bytes, "snapshot"));
  PV_TRY(fields.require_known(kKnown));
  Snapshot snapshot;
  PV_TRY(decode_source(fields, snapshot));
  PV_TRY(decode_root(fields, snapshot));
  PV_TRY_ASSIGN(snapshot.parent, decode_parent(fields));
  PV_TRY(decode_chain(fields, snapshot));
  PV_TRY_ASSIGN(snapshot.session.bytes, fields.array<SessionId::kBytes>(kSession));
  PV_TRY(decode_optional(fields, snapshot));
  PV_TRY(decode_postgres(fields, snapshot));
  return snapshot;
}

Bytes signed_message(const RepositoryId& repository, ByteView fields) {
  Bytes message = to_bytes(as_bytes(kSignatureLabel));
  append(message, repository.view());
  append(message, fields);
  return message;
}

SnapshotId id_of(const KeySet& keys, ByteView body) {
  return {blake2b_256(keys.snapshot_id().expose(), body)};
}

/// The fields, once their signature is good.
Result<ByteView> verify_body(const KeySet& keys, const RepositoryId& repository, ByteView body,
                             SignatureCheck check) {
  Decoder in(body, "snapshot");
  PV_TRY_ASSIGN(const std::uint32_t length, in.u32());
  PV_TRY_ASSIGN(const ByteView fields, in.raw(length));
  PV_TRY_ASSIGN(const std::uint8_t signer, in.u8());
  if (signer != kSignerRepository) {
    return Error(ErrorCode::Unsupported, fmt::format("snapshot: unknown signer kind {}", signer));
  }
  PV_TRY_ASSIGN(const ByteView public_key, in.raw(kPublicKeyBytes));
  PV_TRY_ASSIGN(const ByteView signature, in.raw(kSignatureBytes));
  PV_TRY(in.finish());
  if (!std::ranges::equal(public_key, keys.signer_public())) {
    return Error(ErrorCode::AuthFailed, "snapshot: signed by a stranger");
  }
  if (check == SignatureCheck::Wanted &&
      !verify_signature(signed_message(repository, fields), signature, public_key)) {
    return Error(ErrorCode::AuthFailed, "snapshot: the signature does not fit");
  }
  return fields;
}

}  // namespace

SealedSnapshot encode_snapshot(const KeySet& keys, const RepositoryId& repository,
                               const Snapshot& snapshot) {
  const Bytes fields = encode_fields(snapshot);
  Encoder out;
  out.u32(static_cast<std::uint32_t>(fields.size()));
  out.raw(fields);
  out.u8(kSignerRepository);
  out.raw(keys.signer_public());
  out.raw(keys.sign(signed_message(repository, fields)));
  Bytes body = out.take();
  const SnapshotId id = id_of(keys, body);
  return {id, std::move(body)};
}

Result<Snapshot> decode_snapshot(const KeySet& keys, const RepositoryId& repository,
                                 const SnapshotId& id, ByteView body, SignatureCheck check) {
  if (id_of(keys, body) != id) return corrupt("the id does not fit the content");
  PV_TRY_ASSIGN(const ByteView fields, verify_body(keys, repository, body, check));
  return decode_fields(fields);
}

}  // namespace pagevault::repo
