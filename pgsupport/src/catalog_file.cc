#include "catalog_file.h"

#include <fmt/format.h>

#include <algorithm>

namespace pagevault::pgsupport {
namespace {

// Servers with tiny segments are built for tests.
constexpr std::uint32_t kRelationSegmentsMax = 4096;

// Ends the reading of a file from within; never leaves this file.
Error enough() { return {ErrorCode::Unsupported, "longer than it may be"}; }

// Calls `read`; true when the file is there. `stopped`: whether the sink answered enough().
Result<bool> read_if_there(const CatalogFileReader& read, const std::string& path,
                           const std::function<Status(ByteView)>& sink, const bool& stopped) {
  const Status done = read(path, sink);
  if (done || stopped) return true;
  if (done.error().code() == ErrorCode::NotFound) return false;
  return done.error();
}

// Makes blocks of pieces of any length.
class BlockAssembler {
 public:
  BlockAssembler(std::uint32_t block_bytes, const std::function<Status(ByteView)>& visit)
      : block_bytes_(block_bytes), visit_(visit) {}

  Status add(ByteView piece) {
    if (!part_.empty()) {
      const std::size_t missing = std::min(block_bytes_ - part_.size(), piece.size());
      append(part_, piece.first(missing));
      piece = piece.subspan(missing);
      if (part_.size() < block_bytes_) return ok();
      PV_TRY(visit_(part_));
      part_.clear();
    }
    for (; piece.size() >= block_bytes_; piece = piece.subspan(block_bytes_)) {
      PV_TRY(visit_(piece.first(block_bytes_)));
    }
    append(part_, piece);
    return ok();
  }
  void end_segment() { part_.clear(); }

 private:
  std::size_t block_bytes_;
  const std::function<Status(ByteView)>& visit_;
  Bytes part_;
};

}  // namespace

Result<std::optional<Bytes>> read_small_file(const CatalogFileReader& read, const std::string& path,
                                             std::size_t bytes_max) {
  Bytes out;
  bool too_long = false;
  const auto keep = [&](ByteView piece) -> Status {
    too_long = piece.size() > bytes_max - out.size();
    if (too_long) return enough();
    append(out, piece);
    return ok();
  };
  PV_TRY_ASSIGN(const bool found, read_if_there(read, path, keep, too_long));
  if (!found || too_long) return std::optional<Bytes>();
  return std::optional(std::move(out));
}

Status visit_blocks(const CatalogFileReader& read, const std::string& path,
                    std::uint32_t block_bytes, std::uint64_t bytes_max,
                    const std::function<Status(ByteView)>& visit) {
  BlockAssembler blocks(block_bytes, visit);
  bool at_limit = false;
  const auto take = [&](ByteView piece) -> Status {
    at_limit = piece.size() > bytes_max;
    if (at_limit) return enough();
    bytes_max -= piece.size();
    return blocks.add(piece);
  };
  for (std::uint32_t segment = 0; segment < kRelationSegmentsMax && !at_limit; ++segment) {
    const std::string file = segment == 0 ? path : fmt::format("{}.{}", path, segment);
    PV_TRY_ASSIGN(const bool found, read_if_there(read, file, take, at_limit));
    if (!found) break;
    blocks.end_segment();
  }
  return ok();
}

}  // namespace pagevault::pgsupport
