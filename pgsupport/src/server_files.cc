#include "server_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "pagevault/pgsupport/relation_files.h"

namespace pagevault::pgsupport {
namespace {

constexpr std::size_t kReadBytesMax = 8 * kMiB;
constexpr std::uint32_t kSegmentsAtOnce = 64;
constexpr std::array<std::string_view, 4> kPathSuffixes = {"", "_fsm", "_vm", "_init"};

Error with_grants(const Error& error, const PgConnection& sql) {
  if (error.code() != ErrorCode::Locked) return error;
  return {error.code(),
          fmt::format("{}; the role {} needs: GRANT pg_read_server_files TO it; GRANT EXECUTE ON "
                      "FUNCTION pg_read_binary_file(text, bigint, bigint, boolean) TO it",
                      error.message(), sql.user())};
}

// Folder of a tablespace's files: "PG_17_202406281".
Result<std::string> version_folder(PgConnection& sql) {
  PV_TRY_ASSIGN(const PgAnswer rows, sql.query("SELECT catalog_version_no FROM "
                                               "pg_catalog.pg_control_system()"));
  PV_TRY_ASSIGN(const std::uint64_t catalog,
                rows.number(0, 0, std::numeric_limits<std::uint32_t>::max()));
  return fmt::format("PG_{}_{}", sql.version() / 10000, catalog);
}

Result<std::string> first_segment(PgConnection& sql, const RelationFork& fork) {
  if (fork.fork >= kPathSuffixes.size()) {
    return Error(ErrorCode::InvalidArgument, fmt::format("no fork has number {}", fork.fork));
  }
  const std::string name = fmt::format("{}{}", fork.relation, kPathSuffixes.at(fork.fork));
  if (fork.tablespace == kGlobalTablespace) return "global/" + name;
  if (fork.tablespace == kDefaultTablespace) return fmt::format("base/{}/{}", fork.database, name);
  PV_TRY_ASSIGN(const std::string folder, version_folder(sql));
  return fmt::format("pg_tblspc/{}/{}/{}/{}", fork.tablespace, folder, fork.database, name);
}

// The numbers of the segments that are there, of kSegmentsAtOnce from `first` on. A missing file is
// NULL.
Result<std::vector<std::uint32_t>> segments_from(PgConnection& sql, const std::string& path,
                                                 std::uint32_t first) {
  const std::array<std::string, 3> parameters = {path, std::to_string(first),
                                                 std::to_string(first + kSegmentsAtOnce - 1)};
  const auto rows = sql.query(
      "SELECT n FROM pg_catalog.generate_series($2::pg_catalog.int4, "
      "$3::pg_catalog.int4) n WHERE pg_catalog.pg_read_binary_file($1 OPERATOR("
      "pg_catalog.||) CASE n WHEN 0 THEN '' ELSE '.' OPERATOR(pg_catalog.||) "
      "n::pg_catalog.text END, 0, 1, true) IS NOT NULL ORDER BY n",
      parameters);
  if (!rows) return with_grants(rows.error(), sql);
  std::vector<std::uint32_t> segments;
  for (int row = 0; row < rows->rows(); ++row) {
    PV_TRY_ASSIGN(const std::uint64_t number, rows->number(row, 0, first + kSegmentsAtOnce));
    segments.push_back(static_cast<std::uint32_t>(number));
  }
  return segments;
}

}  // namespace

Result<std::vector<std::string>> list_segments(PgConnection& sql, const RelationFork& fork) {
  PV_TRY_ASSIGN(const std::string path, first_segment(sql, fork));
  std::vector<std::string> paths;
  std::size_t found = kSegmentsAtOnce;
  for (std::uint32_t first = 0; found == kSegmentsAtOnce; first += kSegmentsAtOnce) {
    PV_TRY_ASSIGN(const std::vector<std::uint32_t> segments, segments_from(sql, path, first));
    found = segments.size();
    for (const std::uint32_t number : segments) {
      paths.push_back(number == 0 ? path : fmt::format("{}.{}", path, number));
    }
  }
  return paths;
}

Result<std::size_t> read_server_file(PgConnection& sql, const std::string& path,
                                     std::uint64_t offset, MutableBytes out) {
  const std::size_t wanted = std::min(out.size(), kReadBytesMax);
  const std::array<std::string, 3> parameters = {path, std::to_string(offset),
                                                 std::to_string(wanted)};
  const auto rows = sql.query(
      "SELECT pg_catalog.pg_read_binary_file($1, $2::pg_catalog.int8, $3::pg_catalog.int8, true)",
      parameters, PgConnection::Values::Binary);
  if (!rows) return with_grants(rows.error(), sql);
  if (rows->is_null(0, 0)) return Error(ErrorCode::NotFound, path + ": not on the server");
  const ByteView bytes = as_bytes(rows->text(0, 0));
  if (bytes.size() > wanted) return Error(ErrorCode::Corrupt, path + ": more than was asked for");
  copy_bytes(bytes, out);
  return bytes.size();
}

}  // namespace pagevault::pgsupport
