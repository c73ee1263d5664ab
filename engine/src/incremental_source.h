// A relation segment as it is after a PostgreSQL incremental: the parent snapshot's bytes, fetched
// from the repository, with the blocks over them that the incremental brings. Pairwise, as
// reference tools should: docs/postgres.md, "How an incremental becomes a full snapshot".
//
// Only what the mapper asks for is fetched: the extents that a listed block touches. Windows of
// some extents are read in one batch and decoded by workers while the window before is mapped.

#pragma once

#include <atomic>
#include <deque>

#include "block_source.h"
#include "extent_batch.h"
#include "map_builder.h"
#include "pagevault/engine/tree.h"
#include "pagevault/pgsupport/incremental_file.h"

namespace pagevault::engine {

/// Which blocks come from where. Pure.
struct SegmentUpdate {
  const pgsupport::IncrementalHeader& header;
  std::uint32_t block_bytes = 0;
  /// Blocks of the parent's version that stay unless they are listed: the whole ones below the
  /// truncation length.
  std::uint32_t inherited_blocks = 0;

  std::uint64_t bytes_after() const { return std::uint64_t{header.blocks_after()} * block_bytes; }
};

/// `parent_bytes`: length of the parent's version; a partial block at its end is not inherited.
SegmentUpdate segment_update(const pgsupport::IncrementalHeader& header, std::uint32_t block_bytes,
                             std::uint64_t parent_bytes);

/// Where the segment differs from the parent's version, or may: listed blocks, and everything from
/// the end of what is inherited. Ascending, not touching.
std::vector<ByteRange> changed_ranges(const SegmentUpdate& update);

class IncrementalSource final : public BlockSource {
 public:
  struct Parts {
    Workspace& workspace;
    Executor& workers;
    Completion& completion;
    BlockPool& pool;
  };
  /// Gives the next block image, in order of the header, into a buffer of block_bytes.
  using NextImage = std::function<Status(std::uint32_t block, MutableBytes out)>;

  /// `parent` (null: nothing is inherited), and what `update` refers to, outlive it. `ranges`: what
  /// is to be given; they cover all listed blocks.
  IncrementalSource(const Parts& parts, const SegmentUpdate& update, MapReader* parent,
                    std::vector<ByteRange> ranges, NextImage next_image);
  ~IncrementalSource() override;

  /// Errors: of the repository (the parent's bytes cannot be had); of next_image.
  Result<std::shared_ptr<Block>> next() override;

 private:
  struct Window;
  struct Piece;

  Result<std::shared_ptr<Window>> begin_window();
  Result<Piece> next_piece();
  Status add_parent_extents(Window& window, std::size_t piece);
  Status lay_over(Block& block);
  Result<const repo::SpanNode*> parent_span(std::uint64_t span);

  const Parts parts_;
  const SegmentUpdate update_;
  MapReader* parent_;
  std::vector<ByteRange> ranges_;
  NextImage next_image_;
  std::size_t range_ = 0;           // The next piece starts in this range,
  std::uint64_t range_offset_ = 0;  // this far from its start.
  std::size_t listed_ = 0;          // Blocks of the header laid over so far.
  std::uint64_t span_number_ = UINT64_MAX;
  repo::SpanNode span_;  // The parent's, of span_number_.
  std::shared_ptr<Window> current_;
  std::shared_ptr<Window> ahead_;
};

}  // namespace pagevault::engine
