#include "pagevault/repo/postgres_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "pagevault/repo/fields.h"

namespace pagevault::repo {

namespace {

// Tags: docs/format.md, 3 "PostgreSQL record".
enum Tag : std::uint16_t {
  kBlocksChanged = 0x0008,
  kDoubts = 0x0009,
  kSystem = 0x8001,
  kVersions = 0x8002,
  kGeometry = 0x8003,
  kFlags = 0x8004,
  kPosition = 0x8005,
  kWalRanges = 0x8006,
  kTablespaces = 0x8007,
};
constexpr std::uint16_t kKnown[] = {kSystem,   kVersions,  kGeometry,   kFlags,
                                    kPosition, kWalRanges, kTablespaces};

constexpr std::string_view kWhat = "PostgreSQL record";

// docs/format.md, 6. Texts as PostgreSQL's MAXPGPATH has them.
constexpr std::size_t kWalRangesMax = 1'024;
constexpr std::size_t kTablespacesMax = 65'536;
constexpr std::size_t kDoubtsMax = 4'096;
constexpr std::size_t kPathBytesMax = 1'023;
constexpr std::size_t kRecordBytesMax = 16 * kMiB;

// Bit k of the flags is the k-th.
constexpr bool PostgresRecord::*kFlagsOrder[] = {
    &PostgresRecord::data_checksums, &PostgresRecord::from_standby, &PostgresRecord::wal_included,
    &PostgresRecord::group_access, &PostgresRecord::incremental};

bool is_path(std::string_view text) {
  return text.size() <= kPathBytesMax && text.find('\0') == std::string_view::npos;
}

bool is_kind(PostgresDoubt::Kind kind) {
  return kind >= PostgresDoubt::Kind::DamagedPages && kind <= PostgresDoubt::Kind::DamagedFile;
}

// --- Writing -------------------------------------------------------------------------------

std::uint8_t flags_of(const PostgresRecord& record) {
  unsigned flags = 0;
  for (std::size_t bit = 0; bit < std::size(kFlagsOrder); ++bit) {
    if (record.*kFlagsOrder[bit]) flags |= 1U << bit;
  }
  return static_cast<std::uint8_t>(flags);
}

Bytes encode_numbers(std::initializer_list<std::uint32_t> numbers) {
  Encoder out;
  for (const std::uint32_t number : numbers) out.u32(number);
  return out.take();
}

Bytes encode_position(const PostgresRecord& record) {
  Encoder out;
  out.u32(record.timeline);
  out.u64(record.start_lsn);
  out.u64(record.end_lsn);
  return out.take();
}

Bytes encode_wal_ranges(const std::vector<PostgresWalRange>& ranges) {
  Encoder out;
  out.varint(ranges.size());
  for (const PostgresWalRange& range : ranges) {
    out.u32(range.timeline);
    out.u64(range.start);
    out.u64(range.end);
  }
  return out.take();
}

Bytes encode_tablespaces(const std::vector<PostgresTablespace>& tablespaces) {
  Encoder out;
  out.varint(tablespaces.size());
  for (const PostgresTablespace& tablespace : tablespaces) {
    out.u32(tablespace.oid);
    out.str(tablespace.location);
  }
  return out.take();
}

Bytes encode_doubts(const PostgresRecord& record) {
  Encoder out;
  out.varint(record.doubts.size());
  for (const PostgresDoubt& doubt : record.doubts) {
    out.u8(static_cast<std::uint8_t>(doubt.kind));
    out.str(doubt.path);
    out.varint(doubt.count);
  }
  out.u64(record.doubts_more);
  return out.take();
}

Bytes encode_unchecked(const PostgresRecord& record) {
  FieldWriter out;
  if (record.blocks_changed) out.add_u64(kBlocksChanged, *record.blocks_changed);
  if (!record.doubts.empty() || record.doubts_more > 0) out.add(kDoubts, encode_doubts(record));
  out.add_u64(kSystem, record.system_identifier);
  out.add(kVersions,
          encode_numbers({record.major_version, record.server_version, record.catalog_version}));
  out.add(kGeometry,
          encode_numbers({record.block_bytes, record.segment_blocks, record.wal_segment_bytes}));
  out.add_u8(kFlags, flags_of(record));
  out.add(kPosition, encode_position(record));
  out.add(kWalRanges, encode_wal_ranges(record.wal_ranges));
  out.add(kTablespaces, encode_tablespaces(record.tablespaces));
  return out.take();
}

// --- What the format cannot hold -----------------------------------------------------------

// Problems as texts, for the writer's InvalidArgument and the reader's Corrupt; empty: none.

std::string_view problem_of_ranges(const std::vector<PostgresWalRange>& ranges) {
  if (ranges.size() > kWalRangesMax) return "over 1024 WAL ranges";
  if (std::ranges::any_of(ranges, [](const auto& each) { return each.start > each.end; })) {
    return "a WAL range that ends before it starts";
  }
  // Not greater: equal timelines are refused too.
  if (std::ranges::adjacent_find(ranges, std::ranges::less_equal(), &PostgresWalRange::timeline) !=
      ranges.end()) {
    return "WAL ranges are not from the newest timeline to the oldest";
  }
  return {};
}

std::string_view problem_of_tablespaces(const std::vector<PostgresTablespace>& tablespaces) {
  if (tablespaces.size() > kTablespacesMax) return "over 65536 tablespaces";
  if (!std::ranges::all_of(tablespaces, is_path, &PostgresTablespace::location)) {
    return "the location of a tablespace is over 1023 bytes or holds NUL";
  }
  if (std::ranges::adjacent_find(tablespaces, std::ranges::greater_equal(),
                                 &PostgresTablespace::oid) != tablespaces.end()) {
    return "tablespaces are not ascending";
  }
  return {};
}

std::string_view problem_of_doubts(const std::vector<PostgresDoubt>& doubts) {
  if (doubts.size() > kDoubtsMax) return "over 4096 doubts";
  if (!std::ranges::all_of(doubts, is_kind, &PostgresDoubt::kind)) return "unknown kind of doubt";
  const auto is_named = [](const PostgresDoubt& doubt) {
    return !doubt.path.empty() && is_path(doubt.path);
  };
  if (!std::ranges::all_of(doubts, is_named)) {
    return "the path of a doubt is empty, over 1023 bytes or holds NUL";
  }
  return {};
}

std::string_view problem_of(const PostgresRecord& record) {
  for (const std::string_view problem :
       {problem_of_ranges(record.wal_ranges), problem_of_tablespaces(record.tablespaces),
        problem_of_doubts(record.doubts)}) {
    if (!problem.empty()) return problem;
  }
  return {};
}

// --- Reading -------------------------------------------------------------------------------

Error unsupported(std::string_view problem) {
  return {ErrorCode::Unsupported, fmt::format("{}: {}", kWhat, problem)};
}

Error corrupt(std::string_view problem) {
  return {ErrorCode::Corrupt, fmt::format("{}: {}", kWhat, problem)};
}

Result<Decoder> value_of(const FieldReader& fields, std::uint16_t tag) {
  PV_TRY_ASSIGN(const ByteView value, fields.required(tag));
  return Decoder(value, kWhat);
}

Status decode_numbers(const FieldReader& fields, std::uint16_t tag,
                      std::initializer_list<std::uint32_t*> numbers) {
  PV_TRY_ASSIGN(Decoder in, value_of(fields, tag));
  for (std::uint32_t* number : numbers) {
    PV_TRY_ASSIGN(*number, in.u32());
  }
  return in.finish();
}

Status decode_flags(const FieldReader& fields, PostgresRecord& record) {
  PV_TRY_ASSIGN(const std::uint8_t flags, fields.u8(kFlags));
  if (flags >> std::size(kFlagsOrder) != 0) {
    return unsupported(fmt::format("unknown flags {:#x}", flags));
  }
  for (std::size_t bit = 0; bit < std::size(kFlagsOrder); ++bit) {
    record.*kFlagsOrder[bit] = (flags >> bit & 1) != 0;
  }
  return ok();
}

Status decode_position(const FieldReader& fields, PostgresRecord& record) {
  PV_TRY_ASSIGN(Decoder in, value_of(fields, kPosition));
  PV_TRY_ASSIGN(record.timeline, in.u32());
  PV_TRY_ASSIGN(record.start_lsn, in.u64());
  PV_TRY_ASSIGN(record.end_lsn, in.u64());
  return in.finish();
}

Status decode_wal_ranges(const FieldReader& fields, PostgresRecord& record) {
  PV_TRY_ASSIGN(Decoder in, value_of(fields, kWalRanges));
  PV_TRY_ASSIGN(const std::uint64_t count, in.varint(0, kWalRangesMax));
  for (std::uint64_t i = 0; i < count; ++i) {
    PostgresWalRange range;
    PV_TRY_ASSIGN(range.timeline, in.u32());
    PV_TRY_ASSIGN(range.start, in.u64());
    PV_TRY_ASSIGN(range.end, in.u64());
    record.wal_ranges.push_back(range);
  }
  return in.finish();
}

// Lists grow as they are read: a count of the input allocates nothing.
Status decode_tablespaces(const FieldReader& fields, PostgresRecord& record) {
  PV_TRY_ASSIGN(Decoder in, value_of(fields, kTablespaces));
  PV_TRY_ASSIGN(const std::uint64_t count, in.varint(0, kTablespacesMax));
  for (std::uint64_t i = 0; i < count; ++i) {
    PostgresTablespace tablespace;
    PV_TRY_ASSIGN(tablespace.oid, in.u32());
    PV_TRY_ASSIGN(const ByteView location, in.str(kPathBytesMax));
    tablespace.location = as_text(location);
    record.tablespaces.push_back(std::move(tablespace));
  }
  return in.finish();
}

Status decode_doubts(const FieldReader& fields, PostgresRecord& record) {
  if (!fields.has(kDoubts)) return ok();
  PV_TRY_ASSIGN(Decoder in, value_of(fields, kDoubts));
  PV_TRY_ASSIGN(const std::uint64_t count, in.varint(0, kDoubtsMax));
  for (std::uint64_t i = 0; i < count; ++i) {
    PostgresDoubt doubt;
    PV_TRY_ASSIGN(const std::uint8_t kind, in.u8());
    doubt.kind = static_cast<PostgresDoubt::Kind>(kind);
    if (!is_kind(doubt.kind)) return unsupported(fmt::format("unknown kind of doubt {}", kind));
    PV_TRY_ASSIGN(const ByteView path, in.str(kPathBytesMax));
    doubt.path = as_text(path);
    PV_TRY_ASSIGN(doubt.count, in.varint());
    record.doubts.push_back(std::move(doubt));
  }
  PV_TRY_ASSIGN(record.doubts_more, in.u64());
  return in.finish();
}

Result<PostgresRecord> decode_fields(const FieldReader& fields) {
  PostgresRecord record;
  PV_TRY_ASSIGN(record.system_identifier, fields.u64(kSystem));
  PV_TRY(decode_numbers(fields, kVersions,
                        {&record.major_version, &record.server_version, &record.catalog_version}));
  PV_TRY(decode_numbers(fields, kGeometry,
                        {&record.block_bytes, &record.segment_blocks, &record.wal_segment_bytes}));
  PV_TRY(decode_flags(fields, record));
  PV_TRY(decode_position(fields, record));
  PV_TRY(decode_wal_ranges(fields, record));
  PV_TRY(decode_tablespaces(fields, record));
  PV_TRY(decode_doubts(fields, record));
  if (fields.has(kBlocksChanged)) {
    PV_TRY_ASSIGN(record.blocks_changed, fields.u64(kBlocksChanged));
  }
  return record;
}

}  // namespace

Status check_postgres_record(const PostgresRecord& record) {
  std::string_view problem = problem_of(record);
  if (problem.empty() && encode_unchecked(record).size() > kRecordBytesMax) {
    problem = "over 16 MiB";
  }
  if (problem.empty()) return ok();
  return Error(ErrorCode::InvalidArgument, fmt::format("{}: {}", kWhat, problem));
}

Bytes encode_postgres_record(const PostgresRecord& record) {
  PV_CHECK(problem_of(record).empty());
  Bytes bytes = encode_unchecked(record);
  PV_CHECK(bytes.size() <= kRecordBytesMax);
  return bytes;
}

Result<PostgresRecord> decode_postgres_record(ByteView bytes) {
  if (bytes.size() > kRecordBytesMax) return corrupt("over 16 MiB");
  PV_TRY_ASSIGN(const FieldReader fields, FieldReader::parse(bytes, kWhat));
  PV_TRY(fields.require_known(kKnown));
  PV_TRY_ASSIGN(PostgresRecord record, decode_fields(fields));
  const std::string_view problem = problem_of(record);
  if (!problem.empty()) return corrupt(problem);
  return record;
}

}  // namespace pagevault::repo
