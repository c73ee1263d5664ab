// Looks at the bytes of a base backup's file as they pass by: the checksum that the manifest has of
// it, and the page checksums of relation files.

#pragma once

#include <vector>

#include "block_source.h"
#include "pagevault/pgsupport/file_checksum.h"
#include "pagevault/pgsupport/page_check.h"

namespace pagevault::engine {

/// Pages whose checksum is wrong, of one file. Whether that is damage is known only when the
/// backup's start and pg_control are.
struct PageFindings {
  static constexpr std::size_t kKept = 64;
  std::vector<pgsupport::PageMismatch> first;  ///< At most kKept.
  std::uint64_t count = 0;                     ///< All of them.
};

/// Checks the pages of one relation segment; also of single blocks, as incrementals bring them.
class PageCheck {
 public:
  /// `first_block`: of the segment, in its fork.
  PageCheck(std::uint32_t block_bytes, std::uint32_t first_block)
      : block_bytes_(block_bytes), first_block_(first_block) {}

  /// `bytes` at `offset` of the segment, any pieces in order; a partial block at the end is no
  /// page.
  void look_at(std::uint64_t offset, ByteView bytes);
  PageFindings take() { return std::move(findings_); }

 private:
  void look_at_blocks(std::uint64_t offset, ByteView blocks);

  std::uint32_t block_bytes_;
  std::uint32_t first_block_;
  Bytes partial_;  // Of a block whose rest comes with the next piece.
  PageFindings findings_;
};

/// Passes on what another source gives.
class CheckedSource final : public BlockSource {
 public:
  /// All outlive it; `pages` may be null.
  CheckedSource(BlockSource& source, pgsupport::FileChecksum& checksum, PageCheck* pages)
      : source_(&source), checksum_(&checksum), pages_(pages) {}

  Result<std::shared_ptr<Block>> next() override;

 private:
  BlockSource* source_;
  pgsupport::FileChecksum* checksum_;
  PageCheck* pages_;
};

}  // namespace pagevault::engine
