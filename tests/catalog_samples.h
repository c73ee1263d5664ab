// Catalogs of a data directory, made by hand: pages with rows, relation maps, a transaction log.

#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "pagevault/base/codec.h"
#include "pagevault/base/crc32c.h"
#include "pagevault/pgsupport/catalog.h"

namespace pagevault::testing {

inline constexpr std::uint32_t kSampleBlockBytes = 8192;

// As in t_infomask.
inline constexpr std::uint16_t kHasNulls = 0x0001;
inline constexpr std::uint16_t kKeyShareLocked = 0x0010;
inline constexpr std::uint16_t kExclusivelyLocked = 0x0040;
inline constexpr std::uint16_t kOnlyLocked = 0x0080;
inline constexpr std::uint16_t kMade = 0x0100;
inline constexpr std::uint16_t kNeverMade = 0x0200;
inline constexpr std::uint16_t kFrozen = 0x0300;
inline constexpr std::uint16_t kGone = 0x0400;
inline constexpr std::uint16_t kNeverGone = 0x0800;
inline constexpr std::uint16_t kManyLockers = 0x1000;

/// Header of a row. By default everybody sees it.
struct RowHeader {
  std::uint32_t xmin = 700;
  std::uint32_t xmax = 0;
  std::uint16_t infomask = kFrozen | kNeverGone;
};

struct SampleRow {
  RowHeader header;
  std::uint16_t attributes = 0;
  Bytes data;
};

inline void put_name(Encoder& out, std::string_view name) {
  out.raw(as_bytes(name));
  out.zeros(64 - name.size());
}

inline SampleRow database_sample(std::uint32_t version, std::uint32_t oid, std::string_view name,
                                 std::uint32_t tablespace = pgsupport::kDefaultTablespace,
                                 RowHeader header = {}) {
  Encoder out;
  out.u32(oid);
  put_name(out, name);
  out.u32(10);                               // datdba
  out.u32(6);                                // encoding
  if (version < 15) out.zeros(64 + 64 + 4);  // Collations, flags.
  if (version >= 15) out.zeros(4);           // Provider, flags.
  out.u32(UINT32_MAX);                       // datconnlimit
  if (version < 15) out.u32(1);              // datlastsysoid
  out.u32(700);                              // datfrozenxid
  out.u32(1);                                // datminmxid
  out.u32(tablespace);
  out.zeros(20);
  const std::uint16_t attributes = version < 15 ? 14 : version < 17 ? 16 : 18;
  return {header, attributes, out.take()};
}

inline SampleRow schema_sample(std::uint32_t oid, std::string_view name, RowHeader header = {}) {
  Encoder out;
  out.u32(oid);
  put_name(out, name);
  out.u32(10);  // nspowner
  return {header, 4, out.take()};
}

/// A row of pg_class.
struct ClassSample {
  std::uint32_t oid = 0;
  std::string_view name;
  std::uint32_t file = 0;
  char kind = 'r';
  std::uint32_t schema = 2200;
  std::uint32_t tablespace = 0;
  std::uint32_t toast = 0;
  RowHeader header = {};
};

inline SampleRow class_sample(std::uint32_t version, const ClassSample& sample) {
  Encoder out;
  out.u32(sample.oid);
  put_name(out, sample.name);
  out.u32(sample.schema);
  out.zeros(4 * 4);  // reltype, reloftype, relowner, relam
  out.u32(sample.file);
  out.u32(sample.tablespace);
  out.zeros(version < 18 ? 3 * 4 : 4 * 4);  // Statistics.
  out.u32(sample.toast);
  out.zeros(2);  // relhasindex, relisshared
  out.u8('p');
  out.u8(static_cast<std::uint8_t>(sample.kind));
  out.zeros(28);
  const std::uint16_t attributes = version < 18 ? 33 : 34;
  return {sample.header, attributes, out.take()};
}

/// With a null bitmap that says only the last attribute is null.
inline Bytes tuple_bytes(const SampleRow& row) {
  Encoder out;
  out.u32(row.header.xmin);
  out.u32(row.header.xmax);
  out.zeros(10);  // t_cid, t_ctid
  out.u16(row.attributes);
  out.u16(static_cast<std::uint16_t>(row.header.infomask | kHasNulls));
  const std::size_t null_bytes = (row.attributes + 7U) / 8U;
  const std::size_t header_bytes = (23 + null_bytes + 7) / 8 * 8;
  out.u8(static_cast<std::uint8_t>(header_bytes));
  for (std::size_t i = 0; i + 1 < null_bytes; ++i) out.u8(0xFF);
  out.u8(static_cast<std::uint8_t>((1U << (row.attributes - 1U) % 8U) - 1U));
  out.zeros(header_bytes - out.size());
  out.raw(row.data);
  return out.take();
}

/// Pages with `rows` in order, as many as it takes.
inline Bytes pages_of(const std::vector<SampleRow>& rows,
                      std::uint32_t block_bytes = kSampleBlockBytes) {
  Bytes out;
  std::size_t lower = block_bytes;
  std::size_t upper = 0;
  for (const SampleRow& row : rows) {
    const Bytes tuple = tuple_bytes(row);
    const std::size_t space = (tuple.size() + 7) / 8 * 8;
    if (lower + 4 + space > upper) {
      out.resize(out.size() + block_bytes);
      lower = 24;
      upper = block_bytes;
    }
    const MutableBytes page = MutableBytes(out).last(block_bytes);
    upper -= space;
    std::ranges::copy(tuple, page.begin() + static_cast<std::ptrdiff_t>(upper));
    const auto length = static_cast<std::uint32_t>(tuple.size());
    store_le32(page.subspan(lower), static_cast<std::uint32_t>(upper) | 1U << 15U | length << 17U);
    lower += 4;
    store_le16(page.subspan(12), static_cast<std::uint16_t>(lower));
    store_le16(page.subspan(14), static_cast<std::uint16_t>(upper));
  }
  return out;
}

inline Bytes map_bytes(std::uint32_t version, const std::map<std::uint32_t, std::uint32_t>& map) {
  const std::size_t mappings_max = version < 16 ? 62 : 64;
  Encoder out;
  out.u32(0x592717);
  out.u32(static_cast<std::uint32_t>(map.size()));
  for (const auto& [oid, file] : map) {
    out.u32(oid);
    out.u32(file);
  }
  out.zeros(8 + mappings_max * 8 - out.size());
  out.u32(crc32c(out.view()));
  if (version < 16) out.zeros(4);
  return out.take();
}

/// A data directory with one database, `app` (OID 5), which has a schema `public` (2200) and the
/// relations of `classes`.
struct SampleCluster {
  std::uint32_t version = 17;
  std::map<std::string, Bytes> files;

  explicit SampleCluster(std::uint32_t major, std::vector<ClassSample> classes = {})
      : version(major) {
    files["global/pg_filenode.map"] = map_bytes(version, {{1262, 1262}, {1260, 7001}});
    files["global/1262"] = pages_of({database_sample(version, 5, "app")});
    files["base/5/pg_filenode.map"] = map_bytes(version, {{1259, 6000}, {1249, 6001}});
    files["base/5/2615"] =
        pages_of({schema_sample(11, "pg_catalog"), schema_sample(2200, "public")});
    set_classes(std::move(classes));
  }

  /// With the catalogs themselves.
  void set_classes(std::vector<ClassSample> classes, const std::string& folder = "base/5") {
    std::vector<SampleRow> rows = {
        class_sample(version, {.oid = 1259, .name = "pg_class", .schema = 11}),
        class_sample(version, {.oid = 2615, .name = "pg_namespace", .file = 2615, .schema = 11}),
        class_sample(version,
                     {.oid = 1260, .name = "pg_authid", .schema = 11, .tablespace = 1664})};
    for (const ClassSample& sample : classes) rows.push_back(class_sample(version, sample));
    files[folder + "/6000"] = pages_of(rows);
  }

  /// `piece_bytes`: of what is given at once. The cluster outlives it.
  pgsupport::CatalogFileReader reader(std::size_t piece_bytes = 10'007) const {
    return [this, piece_bytes](const std::string& path, const auto& sink) -> Status {
      const auto found = files.find(path);
      if (found == files.end()) return Error(ErrorCode::NotFound, path);
      for (ByteView rest = found->second; !rest.empty();) {
        const std::size_t length = std::min(piece_bytes, rest.size());
        PV_TRY(sink(rest.first(length)));
        rest = rest.subspan(length);
      }
      return ok();
    };
  }
};

}  // namespace pagevault::testing
