#include "restore_window.h"

#include <algorithm>

namespace pagevault::engine {

namespace {

constexpr std::uint64_t kWindowBytes = 24 * kMiB;  // Plain bytes fetched in one batch.
constexpr std::size_t kWindowExtents = 4096;
constexpr std::uint64_t kGroupBytes = 1 * kMiB;  // Plain bytes one task decodes and writes at once.
constexpr std::size_t kGroupsQueued = 24;

}  // namespace

struct RestoreWindow::GroupTask {
  std::shared_ptr<const ExtentBatch> batch;
  Group group;
  bool verify = false;
  std::atomic<std::uint64_t>* written = nullptr;

  void run() const {
    Bytes buffer(group.length);
    std::uint64_t good_from = 0;  // Decoded and not yet written, in the buffer.
    std::uint64_t at = 0;
    for (std::size_t i = 0; i < group.count; ++i) {
      const std::uint64_t length = batch->extent(group.first + i).length;
      const MutableBytes out = MutableBytes(buffer).subspan(at, length);
      const Status decoded = batch->decode(group.first + i, out, verify);
      if (!decoded) {
        // Missing is an error, never wrong bytes: the range is left out and the file named so.
        group.file->add_problem(group.offset + at, length, decoded.error());
        write(buffer, good_from, at);
        good_from = at + length;
      }
      at += length;
    }
    write(buffer, good_from, at);
    group.file->end_part();
  }

  void write(const Bytes& buffer, std::uint64_t from, std::uint64_t to) const {
    if (from == to) return;
    const Status done =
        group.file->file().write_at(group.offset + from, ByteView(buffer).subspan(from, to - from));
    if (!done) group.file->fail_target(done.error());
    written->fetch_add(to - from, std::memory_order_relaxed);
  }
};

RestoreWindow::RestoreWindow(Workspace& workspace, bool verify)
    : workspace_(workspace),
      verify_(verify),
      workers_(workspace.env().make_executor(std::max(1U, workspace.env().processors()),
                                             kGroupsQueued)) {}

void RestoreWindow::want(const std::shared_ptr<OutputFile>& file, std::uint64_t offset,
                         const repo::Extent& extent) {
  const bool joins = !groups_.empty() && groups_.back().file == file &&
                     groups_.back().offset + groups_.back().length == offset &&
                     groups_.back().length + extent.length <= kGroupBytes;
  if (!joins) {
    groups_.push_back(
        {.file = file, .offset = offset, .length = 0, .first = extents_.size(), .count = 0});
    file->begin_part();
  }
  groups_.back().length += extent.length;
  ++groups_.back().count;
  extents_.push_back(extent);
  bytes_ += extent.length;
}

bool RestoreWindow::full() const {
  return bytes_ >= kWindowBytes || extents_.size() >= kWindowExtents;
}

void RestoreWindow::flush() {
  if (extents_.empty()) return;
  const auto batch = ExtentBatch::fetch(workspace_, std::exchange(extents_, {}));
  for (Group& group : groups_) {
    GroupTask task{
        .batch = batch, .group = std::move(group), .verify = verify_, .written = &written_};
    workers_->submit([task = std::move(task)] { task.run(); });
  }
  groups_.clear();
  bytes_ = 0;
}

}  // namespace pagevault::engine
