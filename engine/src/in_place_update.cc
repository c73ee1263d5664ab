#include "in_place_update.h"

#include <algorithm>

namespace pagevault::engine {

namespace {

constexpr std::uint64_t kZeroPiece = 64 * kKiB;  // What becomes a hole at once, at least.

bool is_replaceable(const FileInfo& info) {
  return info.type == FileType::Regular && info.links == 1;
}

}  // namespace

Result<ExistingFile> open_existing(Dir& dir, const std::string& name) {
  const auto there = dir.stat(name);
  if (!there && there.error().code() == ErrorCode::NotFound) return ExistingFile{};
  if (!there) return there.error();
  if (!is_replaceable(*there)) return ExistingFile{};
  auto file = dir.open_file(name, OpenMode::Read);
  if (!file) return ExistingFile{};  // It can still be replaced.
  PV_TRY_ASSIGN(const FileInfo info, (*file)->info());
  if (!is_replaceable(info)) return ExistingFile{};
  return ExistingFile{std::move(*file), info};
}

Result<std::unique_ptr<InPlaceUpdate>> InPlaceUpdate::create(const UpdateParts& parts,
                                                             ExistingFile existing,
                                                             std::shared_ptr<OutputFile> file) {
  PV_TRY_ASSIGN(std::vector<ByteRange> data, existing.file->data_ranges());
  const std::uint64_t end = std::min(existing.info.size, file->entry().info.size);
  std::unique_ptr<InPlaceUpdate> update(new InPlaceUpdate(parts, existing.info, std::move(file)));
  update->reader_ = std::make_unique<TargetReader>(parts.queue, parts.pool,
                                                   std::move(existing.file), std::move(data), end);
  return update;
}

Result<bool> InPlaceUpdate::differs(std::uint64_t offset, const repo::Extent& extent) {
  if (extent.hole) {
    PV_TRY(clear({offset, extent.length}));
    return false;
  }
  PV_TRY_ASSIGN(const bool same, holds(offset, extent));
  count_reads();
  if (same) {
    parts_.report.bytes_equal += extent.length;
    return false;
  }
  PV_TRY(begin_change());
  return true;
}

Result<bool> InPlaceUpdate::holds(std::uint64_t offset, const repo::Extent& extent) {
  PV_TRY_ASSIGN(const ByteView bytes, reader_->view({offset, extent.length}));
  if (bytes.size() < extent.length) return false;
  const auto& keys = parts_.workspace.repository().keys();
  if (chunker::gate_of(keys.gate(), bytes) != extent.gate) return false;
  if (!parts_.verify) return true;
  // Of a part of a chunk there is no hash to compare with.
  return extent.whole_chunk && keys.chunk_id(repo::BlobType::Data, bytes) == extent.chunk;
}

// Zeroes what is not zero; that keeps the range's holes, and data that happens to be zero.
Status InPlaceUpdate::clear(ByteRange range) {
  const std::uint64_t end = range.offset + range.length;
  ByteRange found{range.offset, 0};
  for (std::uint64_t at = range.offset; at < end;) {
    if (const std::uint64_t hole = reader_->hole_at(at); hole > 0) {
      at += std::min(hole, end - at);
      continue;
    }
    const std::uint64_t length = std::min(end - at, kZeroPiece - at % kZeroPiece);
    PV_TRY_ASSIGN(const ByteView bytes, reader_->view({at, length}));
    if (is_all_zero(bytes)) {
      parts_.report.bytes_equal += bytes.size();
    } else if (found.offset + found.length == at) {
      found.length += length;
    } else {
      PV_TRY(zero(found));
      found = {at, length};
    }
    at += length;
    count_reads();
  }
  return zero(found);
}

void InPlaceUpdate::count_reads() {
  const std::uint64_t now = reader_->bytes_read();
  parts_.report.bytes_compared += now - std::exchange(bytes_counted_, now);
}

Status InPlaceUpdate::zero(ByteRange range) {
  if (range.length == 0) return ok();
  PV_TRY(begin_change());
  parts_.report.bytes_zeroed += range.length;
  return parts_.dry_run ? ok() : file_->file().punch_hole(range);
}

Status InPlaceUpdate::begin_change() {
  if (changed_) return ok();
  changed_ = true;
  return parts_.dry_run ? ok() : file_->begin_writing(there_);
}

Status InPlaceUpdate::finish() {
  return there_.size == file_->entry().info.size ? ok() : begin_change();
}

}  // namespace pagevault::engine
