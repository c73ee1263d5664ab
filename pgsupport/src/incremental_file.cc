#include "pagevault/pgsupport/incremental_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "pagevault/base/codec.h"
#include "pagevault/pgsupport/relation_files.h"

namespace pagevault::pgsupport {

namespace {

constexpr std::string_view kPrefix = "INCREMENTAL.";
constexpr std::uint32_t kMagic = 0xd3ae1f0d;
constexpr std::uint32_t kMagicSwapped = 0x0d1faed3;

Error corrupt(std::string problem) { return {ErrorCode::Corrupt, std::move(problem)}; }

std::size_t name_at(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? 0 : slash + 1;
}

}  // namespace

std::optional<std::string> relation_path_of_incremental(std::string_view path) {
  const std::size_t name = name_at(path);
  if (!path.substr(name).starts_with(kPrefix)) return std::nullopt;
  std::string out(path.substr(0, name));
  out += path.substr(name + kPrefix.size());
  if (!is_relation_file(out)) return std::nullopt;
  return out;
}

std::string incremental_path_of(std::string_view relation_path) {
  std::string out(relation_path);
  out.insert(name_at(relation_path), kPrefix);
  return out;
}

Result<std::uint64_t> incremental_header_bytes(ByteView fixed, const RelationGeometry& geometry) {
  PV_CHECK(fixed.size() >= kIncrementalFixedBytes);
  const std::uint32_t magic = load_le32(fixed);
  if (magic == kMagicSwapped) {
    return corrupt("is of a big-endian server, whose files are not supported");
  }
  if (magic != kMagic) return corrupt(fmt::format("is no incremental file (magic {:08x})", magic));
  const std::uint32_t count = load_le32(fixed.subspan(4));
  if (count > geometry.segment_blocks) {
    return corrupt(
        fmt::format("lists {} blocks, a segment has {}", count, geometry.segment_blocks));
  }
  const std::uint64_t length = kIncrementalFixedBytes + 4 * std::uint64_t{count};
  if (count == 0) return length;
  return (length + geometry.block_bytes - 1) / geometry.block_bytes * geometry.block_bytes;
}

Result<IncrementalHeader> parse_incremental_header(ByteView header, std::uint64_t file_bytes,
                                                   const RelationGeometry& geometry) {
  PV_TRY_ASSIGN(const std::uint64_t header_bytes, incremental_header_bytes(header, geometry));
  PV_CHECK(header.size() == header_bytes);
  const std::uint32_t count = load_le32(header.subspan(4));
  const std::uint64_t wanted = header_bytes + std::uint64_t{count} * geometry.block_bytes;
  if (file_bytes != wanted) {
    return corrupt(fmt::format("has {} bytes, its {} blocks need {}", file_bytes, count, wanted));
  }
  IncrementalHeader out;
  out.header_bytes = header_bytes;
  // Servers before 17.8 wrote more than a segment has (docs/postgres.md).
  out.truncation_blocks = std::min(load_le32(header.subspan(8)), geometry.segment_blocks);
  out.blocks.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t block = load_le32(header.subspan(kIncrementalFixedBytes + 4 * i));
    if (block >= geometry.segment_blocks) {
      return corrupt(
          fmt::format("lists block {} of a segment of {}", block, geometry.segment_blocks));
    }
    if (!out.blocks.empty() && block <= out.blocks.back()) {
      return corrupt(fmt::format("lists block {} after block {}", block, out.blocks.back()));
    }
    out.blocks.push_back(block);
  }
  if (!is_all_zero(header.subspan(kIncrementalFixedBytes + 4 * std::size_t{count}))) {
    return corrupt("its header's padding is not zero");
  }
  return out;
}

}  // namespace pagevault::pgsupport
