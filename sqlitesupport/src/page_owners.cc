#include "pagevault/sqlitesupport/page_owners.h"

#include <fmt/format.h>

#include <algorithm>

#include "btree_page.h"
#include "pagevault/base/codec.h"
#include "pagevault/sqlitesupport/database_header.h"
#include "schema_record.h"

namespace pagevault::sqlitesupport {
namespace {

constexpr std::uint32_t kPagesPerBlock = 16 * 1024;
constexpr std::uint32_t kUsableBytesMin = 480;
constexpr std::uint64_t kLockByte = kGiB;
// Type, names and root of a row of the schema stand before its SQL text; longer ones are damage.
constexpr std::size_t kSchemaRecordBytesMax = 64 * kKiB;

// The types without names have owners of these numbers.
constexpr std::uint32_t kUnknownOwner = 0;
constexpr std::uint32_t kFreelistOwner = 1;
constexpr std::uint32_t kPointerMapOwner = 2;
constexpr std::uint32_t kLockByteOwner = 3;
constexpr std::uint32_t kSchemaOwner = 4;
// Was claimed and turned out to be something else: Unknown, but not to be claimed again.
constexpr std::uint32_t kRejected = UINT32_MAX;

}  // namespace

PageOwners::PageOwners(std::uint32_t page_count)
    : page_count_(page_count),
      unknown_pages_(page_count),
      blocks_(page_count / kPagesPerBlock + 1) {
  using enum PageOwnerType;
  for (const auto type : {Unknown, Freelist, PointerMap, LockByte, Schema}) {
    owners_.push_back({type, "", ""});
  }
}

std::uint32_t PageOwners::owner_of(std::uint32_t page) const {
  const std::uint32_t owner = mark_of(page);
  return owner == kRejected ? kUnknownOwner : owner;
}

std::uint32_t PageOwners::mark_of(std::uint32_t page) const {
  PV_CHECK(page >= 1 && page <= page_count_);
  const auto& block = blocks_[page / kPagesPerBlock];
  return block.empty() ? kUnknownOwner : block[page % kPagesPerBlock];
}

void PageOwners::claim(std::uint32_t page, std::uint32_t owner) {
  auto& block = blocks_[page / kPagesPerBlock];
  if (block.empty()) block.resize(kPagesPerBlock, kUnknownOwner);
  block[page % kPagesPerBlock] = owner;
  --unknown_pages_;
}

void PageOwners::reject(std::uint32_t page) {
  blocks_[page / kPagesPerBlock][page % kPagesPerBlock] = kRejected;
  ++unknown_pages_;
  damaged_ = true;
}

// One walk. Pages are claimed for their owner once, by whatever leads to them first; what leads
// to a claimed page, or beyond the image, is damage.
class PageOwnersWalk {
 public:
  PageOwnersWalk(const PageSource& source, std::uint32_t page_size, std::uint32_t page_count)
      : source_(source), page_size_(page_size), out_(page_count) {}

  Result<PageOwners> run() {
    PV_TRY(begin());
    claim(1, kSchemaOwner);
    claim_lock_byte();
    if (has_pointer_map_) claim_pointer_map();
    PV_TRY(walk_freelist());
    PV_TRY(walk_schema());
    PV_TRY(walk_trees());
    return std::move(out_);
  }

 private:
  // What is known of a b-tree, by the number of its owner.
  struct Tree {
    bool has_shape = false;  // The root was read.
    bool is_index = false;
    std::uint32_t leaf_level = UINT32_MAX;  // All leaves of a tree are equally deep.
  };
  struct Chain {
    std::uint32_t first = 0;
    std::uint64_t pages = 0;
  };

  // The page without its reserved bytes.
  Result<ByteView> read(std::uint32_t page) {
    PV_TRY_ASSIGN(const ByteView bytes, source_(page));
    PV_CHECK(bytes.size() == page_size_);
    return bytes.first(usable_);
  }

  Status begin() {
    usable_ = page_size_;
    PV_TRY_ASSIGN(const ByteView first, read(1));
    const auto header = parse_database_header(first);
    if (!header || header->page_size != page_size_) {
      return Error(ErrorCode::Corrupt, fmt::format("page 1 is not that of a database with pages of "
                                                   "{} bytes",
                                                   page_size_));
    }
    PV_CHECK(page_size_ - header->reserved_bytes >= kUsableBytesMin);  // Else it is no header.
    usable_ = page_size_ - header->reserved_bytes;
    first_trunk_ = load_be32(first.subspan(32));
    free_pages_ = load_be32(first.subspan(36));
    has_pointer_map_ = load_be32(first.subspan(52)) != 0;
    const std::uint32_t encoding = load_be32(first.subspan(56));
    if (encoding == 2) encoding_ = TextEncoding::Utf16Le;
    if (encoding == 3) encoding_ = TextEncoding::Utf16Be;
    return ok();
  }

  bool is_free_to_claim(std::uint64_t page) const {
    return page >= 1 && page <= out_.page_count() &&
           out_.mark_of(static_cast<std::uint32_t>(page)) == kUnknownOwner;
  }
  bool claim(std::uint64_t page, std::uint32_t owner) {
    if (!is_free_to_claim(page)) {
      out_.damaged_ = true;
      return false;
    }
    out_.claim(static_cast<std::uint32_t>(page), owner);
    return true;
  }

  std::uint64_t lock_byte_page() const { return kLockByte / page_size_ + 1; }

  void claim_lock_byte() {
    if (lock_byte_page() <= out_.page_count()) claim(lock_byte_page(), kLockByteOwner);
  }

  // One page of 5 byte entries, then the pages it is about; the lock-byte page is stepped over.
  void claim_pointer_map() {
    const std::uint64_t step = usable_ / 5 + 1;
    for (std::uint64_t page = 2; page <= out_.page_count(); page += step) {
      const std::uint64_t map = page == lock_byte_page() ? page + 1 : page;
      if (map <= out_.page_count()) claim(map, kPointerMapOwner);
    }
  }

  Status walk_freelist() {
    std::uint64_t found = 0;
    for (std::uint32_t trunk = first_trunk_; trunk != 0;) {
      if (!claim(trunk, kFreelistOwner)) break;
      ++found;
      PV_TRY_ASSIGN(const ByteView page, read(trunk));
      const std::size_t leaves = load_be32(page.subspan(4));
      const std::size_t leaves_max = usable_ / 4 - 2;
      if (leaves > leaves_max) {
        out_.reject(trunk);
        break;
      }
      for (std::size_t i = 0; i < leaves; ++i) {
        if (claim(load_be32(page.subspan(8 + 4 * i)), kFreelistOwner)) ++found;
      }
      trunk = load_be32(page);
    }
    if (found != free_pages_) out_.damaged_ = true;
    return ok();
  }

  // Rows in the order of pages, not of rowids; every page of this tree is read.
  Status walk_schema() {
    std::vector<std::uint32_t> pages = {1};
    while (!pages.empty()) {
      const std::uint32_t page = pages.back();
      pages.pop_back();
      PV_TRY_ASSIGN(const ByteView bytes, read(page));
      const Bytes kept = to_bytes(bytes);  // While overflow pages are read.
      const auto parsed = parse_btree_page(kept, page == 1 ? kHeaderBytes : 0);
      if (!parsed || parsed->is_index) {
        out_.reject(page);
        continue;
      }
      if (parsed->damaged) out_.damaged_ = true;
      for (const std::uint32_t child : parsed->children) {
        if (claim(child, kSchemaOwner)) pages.push_back(child);
      }
      PV_TRY(add_schema_rows(*parsed));
    }
    return ok();
  }

  Status add_schema_rows(const BtreePage& page) {
    for (const BtreeCell& cell : page.cells) {
      Bytes row = to_bytes(cell.local);
      PV_TRY(walk_chain({cell.overflow_page, cell.overflow_pages}, kSchemaOwner, &row));
      add_schema_row(row);
    }
    return ok();
  }

  void add_schema_row(ByteView row) {
    auto record = parse_schema_record(row, encoding_);
    if (!record) {
      out_.damaged_ = true;
      return;
    }
    if (record->root_page == 0) return;  // A view, a trigger, a virtual table.
    const bool is_index = record->type == "index";
    if (!is_index && record->type != "table") {
      out_.damaged_ = true;
      return;
    }
    const auto owner = static_cast<std::uint32_t>(out_.owners_.size());
    if (!claim(record->root_page, owner)) return;
    out_.owners_.push_back({is_index ? PageOwnerType::Index : PageOwnerType::Table,
                            std::move(record->name), std::move(record->table)});
    next_.push_back(static_cast<std::uint32_t>(record->root_page));
  }

  // Claims the pages of `chain`; with `collect`, appends what is in them up to
  // kSchemaRecordBytesMax, with bytes behind the end of the payload.
  Status walk_chain(const Chain& chain, std::uint32_t owner, Bytes* collect) {
    std::uint32_t page = chain.first;
    for (std::uint64_t left = chain.pages; left > 0; --left) {
      if (!claim(page, owner)) break;
      const bool wanted = collect != nullptr && collect->size() < kSchemaRecordBytesMax;
      if (left == 1 && !wanted) break;
      PV_TRY_ASSIGN(const ByteView bytes, read(page));
      if (wanted) append(*collect, bytes.subspan(4));
      page = load_be32(bytes);
    }
    return ok();
  }

  Status walk_trees() {
    trees_.resize(out_.owners_.size());
    for (level_ = 0;; ++level_) {
      std::vector<std::uint32_t> pages = std::exchange(next_, {});
      if (pages.empty()) {
        if (unread_.empty()) return ok();
        pages = std::exchange(unread_, {});
        leaves_too_ = true;
      }
      std::ranges::sort(pages);
      for (const std::uint32_t page : pages) {
        if (leaves_too_ && out_.unknown_pages() == 0) return ok();
        PV_TRY(visit(page));
      }
    }
  }

  Status visit(std::uint32_t page) {
    const std::uint32_t owner = out_.owner_of(page);
    Tree& tree = trees_[owner];
    if (!leaves_too_ && tree.leaf_level == level_) {
      unread_.push_back(page);
      return ok();
    }
    PV_TRY_ASSIGN(const ByteView bytes, read(page));
    const auto parsed = parse_btree_page(bytes, 0);
    if (!parsed || (tree.has_shape && tree.is_index != parsed->is_index)) {
      out_.reject(page);
      return ok();
    }
    tree.has_shape = true;
    tree.is_index = parsed->is_index;
    if (parsed->is_leaf && !leaves_too_) tree.leaf_level = level_;
    return follow(*parsed, owner);
  }

  Status follow(const BtreePage& page, std::uint32_t owner) {
    if (page.damaged) out_.damaged_ = true;
    for (const std::uint32_t child : page.children) {
      if (claim(child, owner)) next_.push_back(child);
    }
    std::vector<Chain> chains;
    for (const BtreeCell& cell : page.cells) {
      if (cell.overflow_pages > 0) chains.push_back({cell.overflow_page, cell.overflow_pages});
    }
    for (const Chain& chain : chains) PV_TRY(walk_chain(chain, owner, nullptr));
    return ok();
  }

  const PageSource& source_;
  std::uint32_t page_size_;
  PageOwners out_;

  // Of the header.
  std::uint32_t usable_ = 0;
  std::uint32_t first_trunk_ = 0;
  std::uint32_t free_pages_ = 0;
  bool has_pointer_map_ = false;
  TextEncoding encoding_ = TextEncoding::Utf8;

  std::vector<Tree> trees_;
  std::vector<std::uint32_t> next_;    // Claimed pages of the level below.
  std::vector<std::uint32_t> unread_;  // Claimed pages that are leaves as others of their level.
  std::uint32_t level_ = 0;            // Roots are 0.
  bool leaves_too_ = false;
};

Result<PageOwners> find_page_owners(const PageSource& source, std::uint32_t page_size,
                                    std::uint32_t page_count) {
  PV_CHECK(page_count > 0);
  return PageOwnersWalk(source, page_size, page_count).run();
}

}  // namespace pagevault::sqlitesupport
