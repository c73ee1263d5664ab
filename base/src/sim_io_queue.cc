#include "sim_io_queue.h"

#include <utility>

namespace pagevault::sim {

SimIoQueue::~SimIoQueue() {
  while (!pending_.empty()) complete_one();
}

void SimIoQueue::register_arena(MutableBytes) { PV_CHECK(!std::exchange(has_arena_, true)); }

void SimIoQueue::add(Operation operation) {
  PV_CHECK(!full());
  pending_.push_back(operation);
}

void SimIoQueue::read(File& file, std::uint64_t offset, MutableBytes out, std::uint64_t tag) {
  add({.file = &file, .offset = offset, .buffer = out, .tag = tag});
}

void SimIoQueue::write(File& file, std::uint64_t offset, ByteView data, std::uint64_t tag) {
  add({.file = &file, .offset = offset, .buffer = data, .tag = tag});
}

IoCompletion SimIoQueue::complete_one() {
  std::swap(pending_[machine_.choices.below(pending_.size())], pending_.back());
  const Operation operation = pending_.back();
  pending_.pop_back();
  IoCompletion done{.tag = operation.tag};
  if (const auto* out = std::get_if<MutableBytes>(&operation.buffer)) {
    done.bytes = operation.file->read_at(operation.offset, *out);
    return done;
  }
  const ByteView data = std::get<ByteView>(operation.buffer);
  const Status status = operation.file->write_at(operation.offset, data);
  if (status) {
    done.bytes = data.size();
  } else {
    done.bytes = status.error();
  }
  return done;
}

std::vector<IoCompletion> SimIoQueue::wait() {
  std::vector<IoCompletion> result;
  if (pending_.empty()) return result;
  const std::size_t count = 1 + machine_.choices.below(pending_.size());
  result.reserve(count);
  while (result.size() < count) result.push_back(complete_one());
  return result;
}

}  // namespace pagevault::sim
