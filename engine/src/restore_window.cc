#include "restore_window.h"

#include <algorithm>

namespace pagevault::engine {

namespace {

constexpr std::uint64_t kWindowBytes = 24 * kMiB;  // Plain bytes fetched in one batch.
constexpr std::size_t kWindowExtents = 4096;
constexpr std::uint64_t kGroupBytes = 1 * kMiB;  // Plain bytes one task decodes and writes at once.
constexpr std::uint64_t kWorkerWindowBytes = 4 * kMiB;  // So that many workers have one soon.
constexpr std::size_t kWindowTasksQueued = 24;

}  // namespace

struct RestoreWindow::GroupTask {
  std::shared_ptr<const ExtentBatch> batch;
  Group group;
  bool verify = false;
  std::atomic<std::uint64_t>* written = nullptr;

  void run() const {
    // Not cleared first: what could not be decoded is never written.
    const auto memory = std::make_unique_for_overwrite<std::byte[]>(group.length);
    const MutableBytes buffer(memory.get(), group.length);
    std::uint64_t good_from = 0;  // Decoded and not yet written, in the buffer.
    std::uint64_t at = 0;
    for (std::size_t i = 0; i < group.count; ++i) {
      const std::uint64_t length = batch->extent(group.first + i).length;
      const MutableBytes out = buffer.subspan(at, length);
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
    // Large files only: of small ones the kernel makes better requests by itself.
    if (group.length >= kGroupBytes / 2) {
      group.file->file().start_writeback({group.offset, group.length});
    }
    group.file->end_part();
  }

  void write(ByteView buffer, std::uint64_t from, std::uint64_t to) const {
    if (from == to) return;
    const Status done =
        group.file->file().write_at(group.offset + from, buffer.subspan(from, to - from));
    if (!done) group.file->fail_target(done.error());
    written->fetch_add(to - from, std::memory_order_relaxed);
  }
};

RestoreWindow::RestoreWindow(Workspace& workspace, Options options)
    : workspace_(workspace),
      options_(options),
      workers_(workspace.env().make_executor(std::max(1U, workspace.env().processors()),
                                             kWindowTasksQueued)) {}

RestoreWindow::GroupTask RestoreWindow::task_of(std::shared_ptr<const ExtentBatch> batch,
                                                Group group) {
  return {.batch = std::move(batch),
          .group = std::move(group),
          .verify = options_.verify,
          .written = &written_};
}

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
  const bool by_caller = options_.fetch_by == FetchBy::Caller;
  return bytes_ >= (by_caller ? kWindowBytes : kWorkerWindowBytes) ||
         extents_.size() >= kWindowExtents;
}

void RestoreWindow::flush() {
  if (extents_.empty()) return;
  bytes_ = 0;
  auto extents = std::exchange(extents_, {});
  auto groups = std::exchange(groups_, {});
  if (options_.fetch_by == FetchBy::Worker) {
    workers_->submit([this, extents = std::move(extents), groups = std::move(groups)]() mutable {
      const auto batch = ExtentBatch::fetch(workspace_, std::move(extents));
      for (Group& group : groups) task_of(batch, std::move(group)).run();
    });
    return;
  }
  const auto batch = ExtentBatch::fetch(workspace_, std::move(extents));
  for (Group& group : groups) {
    workers_->submit([task = task_of(batch, std::move(group))] { task.run(); });
  }
}

}  // namespace pagevault::engine
