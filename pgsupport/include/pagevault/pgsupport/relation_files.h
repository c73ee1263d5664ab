// Which files of a PostgreSQL data directory are made of pages, and how long a page is.
//
// A directory is taken for a data directory when it holds kControlFile and kVersionFile.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"

namespace pagevault::pgsupport {

inline constexpr std::string_view kControlFile = "global/pg_control";
inline constexpr std::string_view kVersionFile = "PG_VERSION";
inline constexpr std::uint32_t kBlockSizeDefault = 8192;

/// True for relation segments of any fork, temporary ones included: names like `16384`,
/// `16384_vm.2` or `t3_16384` in `global`, `base/<oid>` or `pg_tblspc/<oid>/PG_<version>/<oid>`.
/// False for all else (pg_control, PG_VERSION, pg_filenode.map, pg_internal.init, pgsql_tmp,
/// SLRUs).
///
/// `path` is relative to the data directory, with `/`, without leading `./`. Numbers are decimal,
/// without leading zeros, above 0 and fit 32 bits.
/// Source: PostgreSQL, src/common/relpath.c and src/backend/storage/file/reinit.c.
bool is_relation_file(std::string_view path);

inline constexpr std::uint32_t kDefaultTablespace = 1663;
inline constexpr std::uint32_t kGlobalTablespace = 1664;

/// What a relation file's path says.
struct RelationFile {
  std::uint32_t tablespace = kDefaultTablespace;
  std::uint32_t database = 0;  ///< 0 in `global`.
  std::uint32_t relation = 0;  ///< Its file number.
  std::uint32_t fork = 0;      ///< 0 main, 1 free space map, 2 visibility map, 3 init.
  std::uint32_t segment = 0;
  bool temporary = false;
};

/// Nothing unless is_relation_file(path).
std::optional<RelationFile> parse_relation_file(std::string_view path);

/// The block size in bytes (a power of two, 1024..32768) that the content of kControlFile states.
///
/// Known layouts: PostgreSQL 13 to 18 on little-endian 64-bit machines; their CRC is checked. A
/// control file of another version or byte order answers kBlockSizeDefault: the size only places
/// cuts, so a wrong one costs dedup and never correctness.
/// Errors: Corrupt when it is shorter than its layout, its CRC differs, or the size is impossible.
Result<std::uint32_t> block_size_from_control(ByteView pg_control);

}  // namespace pagevault::pgsupport
