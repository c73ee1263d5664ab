#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "extent_batch.h"
#include "pagevault/engine/restore.h"
#include "pagevault/engine/tree.h"

namespace pagevault::engine {

namespace {

constexpr std::uint64_t kPieceBytes = 8 * kMiB;

// Decodes consecutive extents on all processors, then gives them to the sink in order.
class PieceWriter {
 public:
  PieceWriter(Workspace& workspace, const std::function<Status(ByteView)>& sink)
      : workspace_(workspace),
        sink_(sink),
        workers_(workspace.env().make_executor(std::max(1U, workspace.env().processors()), 256)) {}

  Status add(const repo::Extent& extent) {
    if (extent.hole) {
      PV_TRY(flush());
      return zeros(extent.length);
    }
    if (bytes_ + extent.length > kPieceBytes) PV_TRY(flush());
    extents_.push_back(extent);
    bytes_ += extent.length;
    return ok();
  }

  Status flush() {
    if (extents_.empty()) return ok();
    PV_TRY(workspace_.cancel().check());
    const auto batch = ExtentBatch::fetch(workspace_, std::exchange(extents_, {}));
    piece_.resize(bytes_);
    std::uint64_t at = 0;
    for (std::size_t i = 0; i < batch->size(); ++i) {
      const std::uint64_t length = batch->extent(i).length;
      const MutableBytes out = MutableBytes(piece_).subspan(at, length);
      workers_->submit([this, batch, i, out, at] { decode(*batch, i, out, at); });
      at += length;
    }
    workers_->wait_idle();
    if (failure_)
      return failure_->error.with_context(
          fmt::format("bytes {} to {}", offset_ + failure_->offset,
                      offset_ + failure_->offset + failure_->length));
    offset_ += bytes_;
    bytes_ = 0;
    return sink_(piece_);
  }

 private:
  struct Failure {
    std::uint64_t offset;
    std::uint64_t length;
    Error error;
  };

  void decode(const ExtentBatch& batch, std::size_t i, MutableBytes out, std::uint64_t at) {
    const Status decoded = batch.decode(i, out, /*verify_id=*/false);
    if (decoded) return;
    const std::lock_guard lock(mutex_);
    if (!failure_ || at < failure_->offset) failure_ = Failure{at, out.size(), decoded.error()};
  }

  Status zeros(std::uint64_t length) {
    const Bytes block(std::min<std::uint64_t>(length, kMiB));
    offset_ += length;
    while (length > 0) {
      const std::uint64_t part = std::min<std::uint64_t>(length, block.size());
      PV_TRY(sink_(ByteView(block).first(part)));
      length -= part;
    }
    return ok();
  }

  Workspace& workspace_;
  const std::function<Status(ByteView)>& sink_;
  std::vector<repo::Extent> extents_;
  std::uint64_t bytes_ = 0;
  std::uint64_t offset_ = 0;  // Of the piece in the file.
  Bytes piece_;
  std::mutex mutex_;
  std::optional<Failure> failure_;  // Guarded by mutex_ while workers run.
  std::unique_ptr<Executor> workers_;
};

}  // namespace

Status dump_file(Workspace& workspace, const SnapshotId& snapshot, const std::string& path,
                 const std::function<Status(ByteView)>& sink) {
  PV_TRY_ASSIGN(const repo::Snapshot root, workspace.repository().read_snapshot(snapshot));
  PV_TRY(workspace.refresh_index());
  PV_TRY_ASSIGN(const repo::Entry entry, find_entry(workspace, root, path));
  if (entry.info.type != FileType::Regular) {
    return Error(ErrorCode::InvalidArgument, path + " is not a file");
  }
  MapReader map(workspace.reader(), entry.map, entry.info.size);
  PieceWriter writer(workspace, sink);
  for (std::uint64_t span = 0; span < map.spans(); ++span) {
    PV_TRY_ASSIGN(const repo::SpanNode node, map.span(span).context(path));
    for (const repo::Extent& extent : node) PV_TRY(writer.add(extent).context(path));
  }
  return writer.flush().context(path);
}

}  // namespace pagevault::engine
