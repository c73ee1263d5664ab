// What each page of a SQLite database belongs to, found by walking its trees.
//
// For images that no SQLite has open, such as those in snapshots. Source: "Database File Format",
// sections 1.4 to 1.8 and 2 (sqlite.org/fileformat2.html).

#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "pagevault/base/bytes.h"
#include "pagevault/base/result.h"

namespace pagevault::sqlitesupport {

enum class PageOwnerType : std::uint8_t {
  Unknown,     ///< Nothing that was found leads to the page.
  Freelist,    ///< Unused pages and the list of them.
  PointerMap,  ///< Where auto-vacuum keeps the parents of pages.
  LockByte,    ///< The page at 1 GiB, which is never used.
  Schema,      ///< sqlite_schema; its first page is the database's.
  Table,
  Index
};

struct PageOwner {
  PageOwnerType type = PageOwnerType::Unknown;
  /// As in the schema, in UTF-8, cut after kOwnerNameBytesMax. Bytes that a database in UTF-8 has
  /// wrong are kept. Empty unless a table or an index.
  std::string name;
  std::string table;  ///< The one that an index is of; of a table its own name.
  bool operator==(const PageOwner&) const = default;
};

inline constexpr std::size_t kOwnerNameBytesMax = 1024;

/// Immutable once it was found. 4 bytes for each page, none where long runs of pages are Unknown.
class PageOwners {
 public:
  explicit PageOwners(std::uint32_t page_count);

  /// One each of the types without names, Unknown first, then tables and indexes in the order of
  /// their first appearance in the schema.
  const std::vector<PageOwner>& owners() const { return owners_; }
  std::uint32_t page_count() const { return page_count_; }
  /// Index into owners(). `page` is in 1..page_count() (checked).
  std::uint32_t owner_of(std::uint32_t page) const;
  /// Every page has an owner, and nothing contradicted anything else as far as it was read.
  bool complete() const { return !damaged_ && unknown_pages_ == 0; }
  std::uint32_t unknown_pages() const { return unknown_pages_; }

 private:
  friend class PageOwnersWalk;

  std::uint32_t mark_of(std::uint32_t page) const;
  void claim(std::uint32_t page, std::uint32_t owner);
  void reject(std::uint32_t page);

  std::uint32_t page_count_;
  std::uint32_t unknown_pages_;
  bool damaged_ = false;
  std::vector<PageOwner> owners_;
  std::vector<std::vector<std::uint32_t>> blocks_;  // Of pages; empty ones are Unknown.
};

/// The bytes of page `page`, from 1, exactly one page long; they stay until the next call.
using PageSource = std::function<Result<ByteView>(std::uint32_t page)>;

/// Walks the image of `page_count` pages (not 0, checked) of `page_size` bytes.
///
/// Accepts hostile bytes: each page is taken once, so that cycles end; what contradicts is passed
/// over, its pages stay Unknown, and complete() says so.
/// Reads of the trees the root, inner pages and one leaf each. The others are read only while pages
/// are without an owner, since these may be overflow pages, which only leaves lead to; of a row's
/// overflow pages the last is never read. Level by level in ascending order, so that neighbours can
/// be read together. Memory: about 12 bytes for each page that is not Unknown, and the names.
/// Errors: Corrupt (page 1 is not that of a database with such pages); any of `source`.
Result<PageOwners> find_page_owners(const PageSource& source, std::uint32_t page_size,
                                    std::uint32_t page_count);

}  // namespace pagevault::sqlitesupport
