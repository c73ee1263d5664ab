// The body of a snapshot: docs/format.md, section 3.
// covers S1, S4, S15, S16, F5.1, F5.3, F6.3, F9.2

#include "pagevault/repo/snapshot.h"

#include <gtest/gtest.h>

#include "file_map_samples.h"
#include "golden_bytes.h"
#include "key_samples.h"
#include "postgres_record_samples.h"

namespace pagevault::repo {

namespace {

const RepositoryId kRepository = id_of<RepositoryId>(0x77);

SnapshotId name_of(ByteView body) {
  return {blake2b_256(golden_keys().snapshot_id().expose(), body)};
}

/// `fields` as a body with a good signature and a good id: what only an owner of the keys can make.
SealedSnapshot signed_body(ByteView fields) {
  Bytes message = to_bytes(as_bytes("pagevault snapshot v1"));
  append(message, kRepository.view());
  append(message, fields);
  Encoder out;
  out.u32(static_cast<std::uint32_t>(fields.size()));
  out.raw(fields);
  out.u8(1);
  out.raw(golden_keys().signer_public());
  out.raw(golden_keys().sign(message));
  Bytes body = out.take();
  const SnapshotId id = name_of(body);
  return {id, std::move(body)};
}

Bytes fields_of(ByteView body) { return to_bytes(body.subspan(4, load_le32(body))); }

Result<Snapshot> decode(const SealedSnapshot& sealed) {
  return decode_snapshot(golden_keys(), kRepository, sealed.id, sealed.body);
}

std::optional<ErrorCode> verdict(const Result<Snapshot>& result) {
  if (result) return std::nullopt;
  return result.error().code();
}

Snapshot sample() {
  Snapshot snapshot;
  snapshot.kind = SnapshotKind::Sqlite;
  snapshot.begun_ns = 1000;
  snapshot.committed_ns = 2000;
  snapshot.host = "db1";
  snapshot.user = "postgres";
  snapshot.paths = {"/srv/a.db"};
  snapshot.tags = {"daily", "prod"};
  snapshot.root_length = 128;
  snapshot.root.form = MapRoot::Form::Nodes;
  snapshot.root.ids = {filled_id(0xb1)};
  snapshot.parent = id_of<SnapshotId>(0x99);
  snapshot.client = id_of<ClientId>(0xc1);
  snapshot.sequence = 7;
  snapshot.predecessor = id_of<SnapshotId>(0x98);
  snapshot.session = id_of<SessionId>(0x5e);
  snapshot.audit_round = 4;
  snapshot.stats = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  snapshot.program = "pagevault 0.1.0";
  snapshot.incomplete = true;
  return snapshot;
}

void expect_equal(const Snapshot& a, const Snapshot& b) {
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.begun_ns, b.begun_ns);
  EXPECT_EQ(a.committed_ns, b.committed_ns);
  EXPECT_EQ(a.host, b.host);
  EXPECT_EQ(a.user, b.user);
  EXPECT_EQ(a.paths, b.paths);
  EXPECT_EQ(a.tags, b.tags);
  EXPECT_EQ(a.root_length, b.root_length);
  EXPECT_EQ(a.root, b.root);
  EXPECT_EQ(a.parent, b.parent);
  EXPECT_EQ(a.client, b.client);
  EXPECT_EQ(a.sequence, b.sequence);
  EXPECT_EQ(a.predecessor, b.predecessor);
  EXPECT_EQ(a.session, b.session);
  EXPECT_EQ(a.audit_round, b.audit_round);
  EXPECT_EQ(a.stats, b.stats);
  EXPECT_EQ(a.program, b.program);
  EXPECT_EQ(a.incomplete, b.incomplete);
  EXPECT_EQ(a.postgres, b.postgres);
}

Snapshot random_snapshot(RandomSamples& random) {
  Snapshot snapshot;
  snapshot.kind = static_cast<SnapshotKind>(1 + random.below(4));
  snapshot.begun_ns = static_cast<std::int64_t>(random.number(64));
  snapshot.committed_ns = -snapshot.begun_ns / 2;
  snapshot.host = random.text(0, 300);
  snapshot.user = random.text(0, 20);
  for (std::uint64_t i = random.below(4); i > 0; --i) snapshot.paths.push_back(random.text(0, 200));
  for (std::uint64_t i = random.below(4); i > 0; --i) {
    snapshot.tags.push_back(std::to_string(i) + random.text(0, 9));
  }
  std::ranges::sort(snapshot.tags);
  std::tie(snapshot.root, snapshot.root_length) = random.root();
  if (random.coin()) snapshot.parent = SnapshotId{random.id().bytes};
  snapshot.sequence = 1 + random.number(63);
  snapshot.predecessor.bytes = random.id().bytes;
  snapshot.stats.bytes_source = random.number(64);
  snapshot.program = random.text(0, 20);
  snapshot.incomplete = random.coin();
  if (snapshot.kind == SnapshotKind::Postgres) {
    snapshot.postgres = random_postgres_record(random);
  }
  return snapshot;
}

TEST(Snapshot, GoldenOneIsReadAndWrittenTheSame) {
  const ObjectPlace place{.type = ObjectType::Snapshot,
                          .repository = kRepository,
                          .id = encode_snapshot(golden_keys(), kRepository, sample()).id.bytes};
  const auto body = open_object(golden_keys(), place, golden_bytes("objects/v1/snapshot.txt"));
  ASSERT_TRUE(body) << body.error().message();
  const auto snapshot = decode({SnapshotId{place.id}, *body});
  ASSERT_TRUE(snapshot) << snapshot.error().message();
  expect_equal(*snapshot, sample());
  EXPECT_EQ(to_hex(encode_snapshot(golden_keys(), kRepository, sample()).body), to_hex(*body));
}

TEST(Snapshot, RandomOnesComeBack) {
  RandomSamples random(5);
  for (int round = 0; round < 200; ++round) {
    const Snapshot snapshot = random_snapshot(random);
    const auto again = decode(encode_snapshot(golden_keys(), kRepository, snapshot));
    ASSERT_TRUE(again) << "round " << round << ": " << again.error().message();
    expect_equal(*again, snapshot);
  }
}

TEST(Snapshot, AnotherIdThanItsContentHasIsCorrupt) {
  SealedSnapshot sealed = encode_snapshot(golden_keys(), kRepository, sample());
  sealed.id.bytes[31] ^= std::byte{1};
  EXPECT_EQ(verdict(decode(sealed)), ErrorCode::Corrupt);
}

TEST(Snapshot, EveryFlippedBitIsCorruptUnderItsId) {
  const SealedSnapshot sealed = encode_snapshot(golden_keys(), kRepository, sample());
  for (std::size_t bit = 0; bit < 8 * sealed.body.size(); ++bit) {
    EXPECT_EQ(verdict(decode({sealed.id, with_bit_flipped(sealed.body, bit)})), ErrorCode::Corrupt)
        << "bit " << bit;
  }
}

TEST(Snapshot, EveryFlippedBitIsRefusedAlsoUnderAnIdThatFits) {
  const SealedSnapshot sealed = encode_snapshot(golden_keys(), kRepository, sample());
  const std::size_t fields_end = 4 + load_le32(sealed.body);
  for (std::size_t bit = 8 * 4; bit < 8 * sealed.body.size(); ++bit) {
    Bytes body = with_bit_flipped(sealed.body, bit);
    const SnapshotId id = name_of(body);
    const auto code = verdict(decode({id, std::move(body)}));
    const bool signer_kind = bit / 8 == fields_end;
    EXPECT_EQ(code, signer_kind ? ErrorCode::Unsupported : ErrorCode::AuthFailed) << "bit " << bit;
  }
}

TEST(Snapshot, OfAnotherRepositoryWithTheSameKeysItIsRefused) {
  const SealedSnapshot sealed = encode_snapshot(golden_keys(), kRepository, sample());
  EXPECT_EQ(
      verdict(decode_snapshot(golden_keys(), id_of<RepositoryId>(0x78), sealed.id, sealed.body)),
      ErrorCode::AuthFailed);
}

TEST(Snapshot, SignedByAStrangerItIsRefused) {
  const KeySet stranger = KeySet::derive(MasterSecret());
  const SealedSnapshot sealed = encode_snapshot(stranger, kRepository, sample());
  EXPECT_EQ(verdict(decode({name_of(sealed.body), sealed.body})), ErrorCode::AuthFailed);
}

TEST(Snapshot, UnknownCriticalFieldIsRefusedAndUnknownOptionalIgnored) {
  const Bytes fields = fields_of(encode_snapshot(golden_keys(), kRepository, sample()).body);
  Encoder critical;
  critical.raw(fields);
  critical.u16(0x8fff);
  critical.u32(0);
  EXPECT_EQ(verdict(decode(signed_body(critical.view()))), ErrorCode::Unsupported);
  Encoder optional;
  optional.u16(0x0001);
  optional.u32(1);
  optional.u8(9);
  optional.raw(fields);
  const auto read = decode(signed_body(optional.view()));
  ASSERT_TRUE(read) << read.error().message();
  expect_equal(*read, sample());
}

TEST(Snapshot, ValuesThatMeanNothingAreRefused) {
  const auto verdict_of = [](const auto& change) {
    Snapshot snapshot = sample();
    change(snapshot);
    return verdict(decode(encode_snapshot(golden_keys(), kRepository, snapshot)));
  };
  EXPECT_EQ(verdict_of([](Snapshot& s) { s.sequence = 0; }), ErrorCode::Corrupt);
  EXPECT_EQ(verdict_of([](Snapshot& s) { s.root_length = 0; }), ErrorCode::Corrupt);
  EXPECT_EQ(verdict_of([](Snapshot& s) { s.root_length = kFileBytesMax + 1; }), ErrorCode::Corrupt);
  EXPECT_EQ(verdict_of([](Snapshot& s) { s.root = {}; }), ErrorCode::Corrupt);
  for (const int kind : {0, 5, 255}) {
    EXPECT_EQ(verdict_of([&](Snapshot& s) { s.kind = static_cast<SnapshotKind>(kind); }),
              ErrorCode::Unsupported);
  }
}

/// `fields` with 0x0010 after 0x000f, the last field of the sample that comes before it.
Bytes with_postgres_record(ByteView fields, ByteView record) {
  const Bytes before = {std::byte{0x0f}, std::byte{0}, std::byte{1}, std::byte{0},
                        std::byte{0},    std::byte{0}, std::byte{1}};
  const auto at = std::search(fields.begin(), fields.end(), before.begin(), before.end());
  EXPECT_NE(at, fields.end());
  const auto split = static_cast<std::size_t>(at - fields.begin()) + before.size();
  Encoder out;
  out.raw(fields.first(split));
  out.u16(0x0010);
  out.u32(static_cast<std::uint32_t>(record.size()));
  out.raw(record);
  out.raw(fields.subspan(split));
  return out.take();
}

TEST(Snapshot, OfPostgresHasItsRecordAndNoOtherKindHasOne) {
  Snapshot snapshot = sample();
  snapshot.kind = SnapshotKind::Postgres;
  snapshot.postgres = golden_postgres_record();
  const SealedSnapshot sealed = encode_snapshot(golden_keys(), kRepository, snapshot);
  const auto again = decode(sealed);
  ASSERT_TRUE(again) << again.error().message();
  expect_equal(*again, snapshot);

  const Bytes record = golden_bytes("objects/v1/postgres_record.txt");
  const Bytes sqlite = fields_of(encode_snapshot(golden_keys(), kRepository, sample()).body);
  EXPECT_EQ(verdict(decode(signed_body(with_postgres_record(sqlite, record)))), ErrorCode::Corrupt);
  const auto at = static_cast<std::ptrdiff_t>(to_hex(sqlite).find("018001000000") / 2 + 6);
  Bytes fields = sqlite;
  *(fields.begin() + at) = std::byte{3};
  EXPECT_EQ(verdict(decode(signed_body(fields))), ErrorCode::Corrupt);
  EXPECT_EQ(to_hex(with_postgres_record(fields, record)), to_hex(fields_of(sealed.body)));
  EXPECT_EQ(verdict(decode(signed_body(with_postgres_record(fields, ByteView(record).first(30))))),
            ErrorCode::Corrupt);
}

TEST(Snapshot, DamagedFieldsUnderAGoodSignatureNeverCrash) {
  RandomSamples random(20'262);
  int read = 0;
  for (int round = 0; round < 5'000; ++round) {
    const Snapshot snapshot = random_snapshot(random);
    const Bytes fields = fields_of(encode_snapshot(golden_keys(), kRepository, snapshot).body);
    const auto again = decode(signed_body(random.damaged(fields)));
    if (!again) continue;
    ++read;
    EXPECT_TRUE(decode(encode_snapshot(golden_keys(), kRepository, *again)));
  }
  RecordProperty("read", read);
}

TEST(Snapshot, DamagedBodiesUnderAnIdThatFitsNeverOpen) {
  RandomSamples random(20'263);
  const SealedSnapshot sealed = encode_snapshot(golden_keys(), kRepository, sample());
  for (int round = 0; round < 5'000; ++round) {
    Bytes damaged = random.damaged(sealed.body);
    if (damaged == sealed.body) continue;
    const SnapshotId id = name_of(damaged);
    EXPECT_FALSE(decode({id, std::move(damaged)})) << "round " << round;
  }
}

}  // namespace

}  // namespace pagevault::repo
