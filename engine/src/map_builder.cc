#include "map_builder.h"

#include <algorithm>

#include "stream_crc.h"

namespace pagevault::engine {

void Completion::notify() {
  // The lock makes sure that a waiter that has just looked is already waiting.
  { const std::lock_guard lock(mutex_); }
  changed_.notify_all();
}

repo::SpanNode with_joined_holes(const std::deque<repo::Extent>& extents) {
  repo::SpanNode out;
  out.reserve(extents.size());
  for (const repo::Extent& extent : extents) {
    if (extent.hole && !out.empty() && out.back().hole) {
      out.back().length += extent.length;
    } else {
      out.push_back(extent);
    }
  }
  return out;
}

// ---- Span -----------------------------------------------------------------------------------

repo::Extent* MapBuilder::Span::add_pending() {
  open_.fetch_add(1, std::memory_order_relaxed);
  return &extents_.emplace_back();
}

void MapBuilder::Span::add(const repo::Extent& extent) { extents_.push_back(extent); }

void MapBuilder::Span::extent_done() {
  if (open_.fetch_sub(1, std::memory_order_acq_rel) == 1) finish();
}

void MapBuilder::Span::close_as(const ChunkId& node) {
  PV_CHECK(open_.load(std::memory_order_acquire) == 1);
  map_->known_span_done(number_, node);
}

void MapBuilder::Span::finish() {
  map_->span_done(number_, with_joined_holes(extents_), predecessor_);
}

// ---- MapBuilder -----------------------------------------------------------------------------

std::shared_ptr<MapBuilder::Span> MapBuilder::begin_span(const ChunkId& predecessor) {
  open_.fetch_add(1, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  nodes_.emplace_back();
  crcs_.emplace_back();
  return std::make_shared<Span>(shared_from_this(), nodes_.size() - 1, predecessor);
}

void MapBuilder::add_known_span(const ChunkId& node) {
  const std::lock_guard lock(mutex_);
  nodes_.push_back(node);
  crcs_.emplace_back();
}

void MapBuilder::fail(const Error& error) {
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = error;
}

void MapBuilder::span_done(std::size_t number, const repo::SpanNode& extents,
                           const ChunkId& predecessor) {
  const std::uint32_t crc = crc32c_of(extents);
  bool failed = false;
  {
    const std::lock_guard lock(mutex_);
    failed = failure_.has_value();
    crcs_[number] = crc;
  }
  const bool all_holes = std::all_of(extents.begin(), extents.end(),
                                     [](const repo::Extent& extent) { return extent.hole; });
  if (!failed && !all_holes) {
    Bytes node = repo::encode_span_node(extents);
    if (number == 0 && node.size() <= repo::kInlineNodeBytes) {
      const std::lock_guard lock(mutex_);
      small_first_ = std::move(node);  // Inline if no second span comes; take() decides.
    } else if (auto put = session_->put(repo::BlobType::Metadata, node, {predecessor, {}})) {
      const std::lock_guard lock(mutex_);
      nodes_[number] = put->id;
    } else {
      fail(put.error());
    }
  }
  part_done();
}

void MapBuilder::known_span_done(std::size_t number, const ChunkId& node) {
  {
    const std::lock_guard lock(mutex_);
    nodes_[number] = node;
  }
  part_done();
}

void MapBuilder::part_done() {
  // The completion outlives this object, which may die as soon as the count is zero.
  Completion* const completion = completion_;
  if (open_.fetch_sub(1, std::memory_order_acq_rel) == 1) completion->notify();
}

void MapBuilder::close(std::uint64_t length) {
  length_ = length;
  part_done();
}

Result<repo::MapRoot> MapBuilder::take() {
  PV_CHECK(done());
  const std::lock_guard lock(mutex_);
  if (failure_) return *failure_;
  repo::MapRoot root;
  if (length_ == 0) return root;
  if (!small_first_.empty() && nodes_.size() == 1) {
    root.form = repo::MapRoot::Form::Inline;
    root.inline_node = std::move(small_first_);
    return root;
  }
  if (!small_first_.empty()) {
    PV_TRY_ASSIGN(const auto put, session_->put(repo::BlobType::Metadata, small_first_));
    nodes_[0] = put.id;
  }
  if (nodes_.size() > repo::kInlineNodesMax) return lists();
  root.form = repo::MapRoot::Form::Nodes;
  root.ids = std::move(nodes_);
  return root;
}

std::vector<std::optional<std::uint32_t>> MapBuilder::take_span_crcs() {
  PV_CHECK(done());
  const std::lock_guard lock(mutex_);
  return std::move(crcs_);
}

Result<repo::MapRoot> MapBuilder::lists() {
  repo::MapRoot root{.form = repo::MapRoot::Form::Lists, .inline_node = {}, .ids = {}};
  for (std::size_t at = 0; at < nodes_.size(); at += repo::kNodesPerList) {
    const std::size_t end = std::min<std::size_t>(at + repo::kNodesPerList, nodes_.size());
    const std::vector<ChunkId> part(nodes_.begin() + static_cast<std::ptrdiff_t>(at),
                                    nodes_.begin() + static_cast<std::ptrdiff_t>(end));
    const std::size_t number = root.ids.size();
    const bool follows = predecessor_.form == root.form && number < predecessor_.ids.size();
    PV_TRY_ASSIGN(const auto put,
                  session_->put(repo::BlobType::Metadata, repo::encode_node_list(part),
                                {follows ? predecessor_.ids[number] : ChunkId{}, {}}));
    root.ids.push_back(put.id);
  }
  return root;
}

}  // namespace pagevault::engine
