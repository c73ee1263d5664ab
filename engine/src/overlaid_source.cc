#include "overlaid_source.h"

#include <algorithm>

namespace pagevault::engine {

// No page is split between two blocks.
static_assert(kBlockBytes % (64 * kKiB) == 0, "64 KiB is the largest page");

Result<std::shared_ptr<Block>> OverlaidBlockSource::next() {
  PV_TRY_ASSIGN(auto piece, reader_.next());
  if (!piece) return std::shared_ptr<Block>();
  const MutableBytes bytes = piece->block->data().first(piece->wanted);
  std::ranges::fill(bytes.subspan(piece->got), std::byte{0});
  PV_TRY(overlay_(piece->block->offset, bytes, piece->got));
  piece->block->length = piece->wanted;
  return std::move(piece->block);
}

}  // namespace pagevault::engine
