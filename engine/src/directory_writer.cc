#include "directory_writer.h"

#include <algorithm>

#include "pagevault/base/crc32c.h"

namespace pagevault::engine {

namespace {

constexpr std::size_t kPendingMax = 1024;

}  // namespace

// ---- DirectoryStream ------------------------------------------------------------------------

DirectoryStream::DirectoryStream(const TreeParts& parts, ParentDirectory parent)
    : parts_(&parts),
      parent_(std::move(parent)),
      map_(std::make_shared<MapBuilder>(parts.session, parts.completion, parent_.map)) {
  repo::begin_directory_stream(text_);
}

Status DirectoryStream::append(const repo::Entry& entry) {
  repo::encode_entry(text_, entry);
  return text_.size() >= 2 * std::size_t{parts_->chunker.sizes().max} ? cut(/*at_end=*/false)
                                                                      : ok();
}

// Stores whole chunks off the front of the text; all of it at the end.
Status DirectoryStream::cut(bool at_end) {
  const Bytes text = text_.take();
  ByteView rest = text;
  while (!rest.empty() && (at_end || rest.size() >= parts_->chunker.sizes().max)) {
    const std::uint64_t to_border = repo::kSpanBytes - length_ % repo::kSpanBytes;
    const std::size_t size =
        parts_->chunker.cut(rest.first(std::min<std::size_t>(rest.size(), to_border)));
    PV_TRY(store(rest.first(size)));
    rest = rest.subspan(size);
  }
  text_ = Encoder();
  text_.raw(rest);
  return ok();
}

void DirectoryStream::begin_span() {
  if (span_) span_->close();
  MapReader parent(parts_->reader, parent_.map, parent_.length);
  parent_span_ = ParentSpan::load(parent, length_ / repo::kSpanBytes);
  span_ = map_->begin_span(parent_span_.node_id());
}

Status DirectoryStream::store(ByteView chunk) {
  const std::uint64_t offset = length_ % repo::kSpanBytes;
  if (offset == 0) begin_span();
  PV_TRY_ASSIGN(const auto put,
                parts_->session.put(repo::BlobType::Metadata, chunk,
                                    parent_span_.predecessor_of(offset, chunk.size())));
  repo::Extent extent;
  extent.chunk = put.id;
  extent.length = chunk.size();
  extent.gate = chunker::gate_of(parts_->reader.repository().keys().gate(), chunk);
  extent.crc32c = crc32c(chunk);
  span_->add(extent);
  length_ += chunk.size();
  return ok();
}

Result<DirectoryStream::Finished> DirectoryStream::finish() {
  PV_TRY(cut(/*at_end=*/true));
  if (span_) span_->close();
  map_->close(length_);
  PV_TRY_ASSIGN(repo::MapRoot map, map_->take());
  return Finished{std::move(map), length_};
}

// ---- TreeWriter -----------------------------------------------------------------------------

Status TreeWriter::enter_directory(repo::Entry entry, ParentDirectory parent) {
  return push({.step = Step::Enter,
               .entry = std::move(entry),
               .map = nullptr,
               .parent = std::move(parent)});
}

Status TreeWriter::leave_directory() {
  return push({.step = Step::Leave, .entry = {}, .map = nullptr, .parent = {}});
}

Status TreeWriter::add(repo::Entry entry) {
  return push({.step = Step::Entry, .entry = std::move(entry), .map = nullptr, .parent = {}});
}

Status TreeWriter::add_file(repo::Entry entry, std::shared_ptr<MapBuilder> map) {
  return push(
      {.step = Step::Entry, .entry = std::move(entry), .map = std::move(map), .parent = {}});
}

Status TreeWriter::push(Pending pending) {
  pending_.push_back(std::move(pending));
  return drain(kPendingMax);
}

// Applies what is complete; waits only while more than `leave` are pending.
Status TreeWriter::drain(std::size_t leave) {
  while (!pending_.empty()) {
    Pending& front = pending_.front();
    if (front.map && !front.map->done()) {
      if (pending_.size() <= leave) return ok();
      parts_.completion.wait([&] { return front.map->done(); });
    }
    Pending next = std::move(front);
    pending_.pop_front();
    PV_TRY(apply(std::move(next)));
  }
  return ok();
}

Status TreeWriter::apply(Pending pending) {
  if (pending.step == Step::Enter) {
    open_.push_back({std::move(pending.entry), DirectoryStream(parts_, std::move(pending.parent))});
    return ok();
  }
  if (pending.step == Step::Leave) return apply_leave();
  if (pending.map) {
    PV_TRY_ASSIGN(pending.entry.map, pending.map->take());
  }
  return open_.back().stream.append(pending.entry);
}

Status TreeWriter::apply_leave() {
  PV_CHECK(!open_.empty());
  OpenDirectory done = std::move(open_.back());
  open_.pop_back();
  PV_TRY_ASSIGN(DirectoryStream::Finished finished, done.stream.finish());
  if (open_.empty()) {
    root_ = std::move(finished);
    return ok();
  }
  done.entry.info.size = finished.length;
  done.entry.map = std::move(finished.map);
  return open_.back().stream.append(done.entry);
}

Result<DirectoryStream::Finished> TreeWriter::finish() {
  PV_TRY(drain(0));
  PV_CHECK(root_.has_value());
  return std::move(*root_);
}

}  // namespace pagevault::engine
