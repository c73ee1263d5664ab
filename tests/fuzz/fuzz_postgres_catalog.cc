// Any bytes as the catalogs of a data directory: names or none, but no crash. Maps are whole, so
// that the catalogs are found; the rest of the input is cut into their files.

#include <algorithm>

#include "catalog_samples.h"

using namespace pagevault;
using namespace pagevault::testing;

namespace {

constexpr std::uint32_t kBlockBytes = 1024;

// A page of pg_class with changes: two bytes of offset and one of value each.
Bytes edited_classes(std::uint32_t version, ByteView edits) {
  Bytes out = pages_of(
      {class_sample(version, {.oid = 2615, .name = "pg_namespace", .file = 2615, .schema = 11}),
       class_sample(version, {.oid = 30, .name = "t", .file = 40, .toast = 31}),
       class_sample(version, {.oid = 31, .name = "toast", .file = 41, .kind = 't'})},
      kBlockBytes);
  for (; edits.size() >= 3; edits = edits.subspan(3)) {
    out[load_le16(edits) % out.size()] = edits[2];
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size < 4) return 0;
  ByteView input = std::as_bytes(std::span(data, size));
  SampleCluster cluster(13 + std::to_integer<std::uint32_t>(input[0]) % 6);
  const std::size_t piece_bytes = 1 + std::to_integer<std::size_t>(input[1]) * 16;
  const bool edited = (input[2] & std::byte{2}) != std::byte{0};
  const bool with_database = (input[2] & std::byte{1}) != std::byte{0};
  input = input.subspan(4);
  cluster.files["global/1262"] =
      pages_of({database_sample(cluster.version, 5, "app")}, kBlockBytes);
  const auto take = [&input](std::size_t share) {
    const std::size_t length = std::min(input.size(), share);
    const Bytes out = to_bytes(input.first(length));
    input = input.subspan(length);
    return out;
  };
  cluster.files["pg_xact/0000"] = take(64);
  cluster.files["base/5/2615"] = take(kBlockBytes);
  if (!with_database) cluster.files["global/1262"] = take(kBlockBytes);
  cluster.files["base/5/6000"] =
      edited ? edited_classes(cluster.version, input) : take(input.size());
  auto catalog =
      pgsupport::Catalog::open(cluster.version, kBlockBytes, cluster.reader(piece_bytes));
  PV_CHECK(catalog.has_value());
  for (const std::uint32_t tablespace : {1663U, 1664U, 16384U}) {
    for (std::uint32_t file = 0; file < 64; ++file) {
      const auto name =
          catalog->name_of({.tablespace = tablespace, .database = 5, .relation = file});
      PV_CHECK(name.has_value());
      PV_CHECK(!*name || ((*name)->name.size() <= 64 && (*name)->schema.size() <= 64));
    }
  }
  return 0;
}
