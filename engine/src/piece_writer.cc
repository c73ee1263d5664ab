#include "piece_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "pagevault/engine/tree.h"

namespace pagevault::engine {

namespace {

constexpr std::uint64_t kPieceBytes = 8 * kMiB;

}  // namespace

PieceWriter::PieceWriter(Workspace& workspace, const Sink& sink)
    : workspace_(workspace),
      sink_(sink),
      workers_(workspace.env().make_executor(std::max(1U, workspace.env().processors()), 256)) {}

Status PieceWriter::write(const repo::Entry& file, const std::string& path) {
  offset_ = 0;
  MapReader map(workspace_.reader(), file.map, file.info.size);
  for (std::uint64_t span = 0; span < map.spans(); ++span) {
    PV_TRY_ASSIGN(const repo::SpanNode node, map.span(span).context(path));
    for (const repo::Extent& extent : node) PV_TRY(add(extent).context(path));
  }
  return flush().context(path);
}

Status PieceWriter::add(const repo::Extent& extent) {
  if (extent.hole) {
    PV_TRY(flush());
    return zeros(extent.length);
  }
  if (bytes_ + extent.length > kPieceBytes) PV_TRY(flush());
  extents_.push_back(extent);
  bytes_ += extent.length;
  return ok();
}

Status PieceWriter::flush() {
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
    return failure_->error.with_context(fmt::format("bytes {} to {}", offset_ + failure_->offset,
                                                    offset_ + failure_->offset + failure_->length));
  offset_ += bytes_;
  bytes_ = 0;
  return sink_(piece_);
}

void PieceWriter::decode(const ExtentBatch& batch, std::size_t i, MutableBytes out,
                         std::uint64_t at) {
  const Status decoded = batch.decode(i, out, /*verify_id=*/false);
  if (decoded) return;
  const std::lock_guard lock(mutex_);
  if (!failure_ || at < failure_->offset) failure_ = Failure{at, out.size(), decoded.error()};
}

Status PieceWriter::zeros(std::uint64_t length) {
  const Bytes block(std::min<std::uint64_t>(length, kMiB));
  offset_ += length;
  while (length > 0) {
    const std::uint64_t part = std::min<std::uint64_t>(length, block.size());
    PV_TRY(sink_(ByteView(block).first(part)));
    length -= part;
  }
  return ok();
}

}  // namespace pagevault::engine
