#include "restore_window.h"

#include <algorithm>
#include <new>

namespace pagevault::engine {

namespace {

constexpr std::uint64_t kWindowBytes = 24 * kMiB;  // Plain bytes fetched in one batch.
constexpr std::size_t kWindowExtents = 4096;
constexpr std::uint64_t kGroupBytes = 1 * kMiB;  // Plain bytes one task decodes and writes at once.
constexpr std::uint64_t kWorkerWindowBytes = 4 * kMiB;  // So that many workers have one soon.
constexpr std::size_t kWindowTasksQueued = 24;
// A worker that writes past the cache waits for the disk: others decode meanwhile.
constexpr unsigned kWaitingWorkers = 4;

struct AlignedDelete {
  void operator()(std::byte* memory) const {
    ::operator delete[](memory, std::align_val_t{kDirectAlignment});
  }
};
using AlignedMemory = std::unique_ptr<std::byte[], AlignedDelete>;

// Not cleared first: what could not be decoded is never written.
AlignedMemory allocate(std::size_t size) {
  return AlignedMemory(new (std::align_val_t{kDirectAlignment}) std::byte[size]);
}

unsigned workers_for(Env& env, const RestoreWindow::Options& options) {
  return std::max(1U, env.processors()) + (options.past_cache ? kWaitingWorkers : 0U);
}

}  // namespace

struct RestoreWindow::GroupTask {
  std::shared_ptr<const ExtentBatch> batch;
  Group group;
  Options options;
  std::atomic<std::uint64_t>* written = nullptr;

  void run() const {
    const AlignedMemory memory = allocate(group.length);
    const MutableBytes buffer(memory.get(), group.length);
    std::uint64_t good_from = 0;  // Decoded and not yet written, in the buffer.
    std::uint64_t at = 0;
    for (std::size_t i = 0; i < group.count; ++i) {
      const std::uint64_t length = batch->extent(group.first + i).length;
      const MutableBytes out = buffer.subspan(at, length);
      const Status decoded = batch->decode(group.first + i, out, options.verify);
      if (!decoded) {
        // Missing is an error, never wrong bytes: the range is left out and the file named so.
        group.file->add_problem(group.offset + at, length, decoded.error());
        write(buffer, good_from, at);
        good_from = at + length;
      }
      at += length;
    }
    write(buffer, good_from, at);
    if (is_large() && !options.past_cache) {
      group.file->file().start_writeback({group.offset, group.length});
    }
    group.file->end_part();
  }

  // Of small files the kernel makes better requests by itself.
  bool is_large() const { return group.length >= kGroupBytes / 2; }

  void write(ByteView buffer, std::uint64_t from, std::uint64_t to) const {
    if (from == to) return;
    File& file = group.file->file();
    const ByteView bytes = buffer.subspan(from, to - from);
    const Status done = is_large() && options.past_cache
                            ? file.write_past_cache(group.offset + from, bytes)
                            : file.write_at(group.offset + from, bytes);
    if (!done) group.file->fail_target(done.error());
    written->fetch_add(to - from, std::memory_order_relaxed);
  }
};

RestoreWindow::RestoreWindow(Workspace& workspace, Options options)
    : workspace_(workspace),
      options_(options),
      workers_(workspace.env().make_executor(workers_for(workspace.env(), options),
                                             kWindowTasksQueued)) {}

RestoreWindow::GroupTask RestoreWindow::task_of(std::shared_ptr<const ExtentBatch> batch,
                                                Group group) {
  return {.batch = std::move(batch),
          .group = std::move(group),
          .options = options_,
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
